"""The settings and names of other packages. Their tokens are read by ``legacy.pyjwt``.

- names: the verdict on each setting and name of another package
- owners: the distributions that own the import name of another package
- parameters: other names for the parameters of a function
- settings: the setting of another package, read live
- pyjwt: tokens and keys of other packages, read by PyJWT; its only home
"""

from drf_tessera.legacy.names import ABOUT_DRF_JWT as ABOUT_DRF_JWT
from drf_tessera.legacy.names import BY_HAND as BY_HAND
from drf_tessera.legacy.names import DRF_JWT as DRF_JWT
from drf_tessera.legacy.names import JWT_AUTH as JWT_AUTH
from drf_tessera.legacy.names import SIMPLE_JWT as SIMPLE_JWT
from drf_tessera.legacy.names import Kind as Kind
from drf_tessera.legacy.names import Verdict as Verdict
from drf_tessera.legacy.names import find_name as find_name
from drf_tessera.legacy.names import refuse_names as refuse_names
from drf_tessera.legacy.owners import find_damage as find_damage
from drf_tessera.legacy.owners import is_installed as is_installed
from drf_tessera.legacy.parameters import renamed as renamed
from drf_tessera.legacy.settings import LegacySettings as LegacySettings
from drf_tessera.legacy.settings import find_bad_key as find_bad_key
from drf_tessera.legacy.settings import find_missing_pair as find_missing_pair
from drf_tessera.legacy.settings import find_unknown as find_unknown
from drf_tessera.legacy.settings import find_unloadable as find_unloadable
from drf_tessera.legacy.settings import list_switches as list_switches
from drf_tessera.legacy.settings import read_algorithm as read_algorithm
from drf_tessera.legacy.settings import read_cookie_name as read_cookie_name
from drf_tessera.legacy.settings import read_meta_key as read_meta_key
from drf_tessera.legacy.settings import read_optional as read_optional
from drf_tessera.legacy.settings import read_paths as read_paths
from drf_tessera.legacy.settings import read_prefixes as read_prefixes
from drf_tessera.legacy.settings import read_text as read_text
from drf_tessera.legacy.settings import rename_keys as rename_keys
from drf_tessera.legacy.settings import to_seconds as to_seconds
