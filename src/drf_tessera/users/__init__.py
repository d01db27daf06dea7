"""From a token to its user: lookups by key and name, the project's claims, and the lazy user.

- names: user names and e-mail addresses, as people type them
- lookup: the row of a user
- claims: the project's own claims in access tokens
- deferral: the user models whose rows can be loaded later
- lazy: a user whose row is loaded when it is needed
"""

from drf_tessera.users.claims import describe_session as describe_session
from drf_tessera.users.claims import find_user_fields as find_user_fields
from drf_tessera.users.deferral import find_obstacles as find_obstacles
from drf_tessera.users.lazy import Fail as Fail
from drf_tessera.users.lazy import Refuse as Refuse
from drf_tessera.users.lazy import is_loaded as is_loaded
from drf_tessera.users.lazy import lazy_row as lazy_row
from drf_tessera.users.lazy import lazy_user as lazy_user
from drf_tessera.users.lazy import load_now as load_now
from drf_tessera.users.lazy import loads_at_once as loads_at_once
from drf_tessera.users.lazy import recall_user as recall_user
from drf_tessera.users.lookup import can_read as can_read
from drf_tessera.users.lookup import find_user_by as find_user_by
from drf_tessera.users.lookup import find_user_by_name as find_user_by_name
from drf_tessera.users.lookup import find_users_by_text as find_users_by_text
from drf_tessera.users.lookup import is_active as is_active
from drf_tessera.users.lookup import load_row as load_row
from drf_tessera.users.lookup import load_user as load_user
from drf_tessera.users.lookup import parse_sub as parse_sub
from drf_tessera.users.lookup import read_value as read_value
from drf_tessera.users.lookup import select_users as select_users
from drf_tessera.users.lookup import write_sub as write_sub
from drf_tessera.users.names import MAX_NAME_LENGTH as MAX_NAME_LENGTH
from drf_tessera.users.names import clean_name as clean_name
from drf_tessera.users.names import find_email_field as find_email_field
from drf_tessera.users.names import fold_name as fold_name
from drf_tessera.users.names import read_email as read_email
from drf_tessera.users.names import read_name as read_name
