"""The settings of the project: ``TESSERA``, typed and live, together with the settings of other packages.

- transports: the ways in which tokens can travel
- values: read one value of a setting, or say why it is wrong
- keys: the keys of this server, and where they are
- issuers: other issuers whose tokens are accepted
- tenants: the tenant of the present request
- foreign: the settings of other packages
- problems: the problems of single keys, as sentences
- settings: the settings in force
- identity: the issuer, the audiences and the resource of the present tenant
"""

from drf_tessera.conf.foreign import expect_legacy_tokens as expect_legacy_tokens
from drf_tessera.conf.foreign import expects_legacy_tokens as expects_legacy_tokens
from drf_tessera.conf.identity import Identity as Identity
from drf_tessera.conf.identity import get_identity as get_identity
from drf_tessera.conf.identity import name_audiences as name_audiences
from drf_tessera.conf.issuers import READERS as READERS
from drf_tessera.conf.issuers import Issuer as Issuer
from drf_tessera.conf.issuers import is_loopback as is_loopback
from drf_tessera.conf.issuers import is_safe_address as is_safe_address
from drf_tessera.conf.keys import DATABASE as DATABASE
from drf_tessera.conf.keys import DEFAULT_ALGORITHM as DEFAULT_ALGORITHM
from drf_tessera.conf.keys import DERIVED as DERIVED
from drf_tessera.conf.keys import JWKS as JWKS
from drf_tessera.conf.keys import PUBLIC_ALGORITHMS as PUBLIC_ALGORITHMS
from drf_tessera.conf.keys import KeySource as KeySource
from drf_tessera.conf.settings import AUTHORIZATION as AUTHORIZATION
from drf_tessera.conf.settings import Settings as Settings
from drf_tessera.conf.settings import as_tenant as as_tenant
from drf_tessera.conf.settings import current_tenant as current_tenant
from drf_tessera.conf.settings import enter_tenant as enter_tenant
from drf_tessera.conf.settings import forget_settings as forget_settings
from drf_tessera.conf.settings import get_settings as get_settings
from drf_tessera.conf.settings import per_group as per_group
from drf_tessera.conf.settings import per_settings as per_settings
from drf_tessera.conf.settings import per_tenant as per_tenant
from drf_tessera.conf.settings import read_settings as read_settings
from drf_tessera.conf.settings import translate_setting as translate_setting
from drf_tessera.conf.settings import use_tenant as use_tenant
from drf_tessera.conf.tenants import MAX_TENANTS as MAX_TENANTS
from drf_tessera.conf.tenants import list_installed_apps as list_installed_apps
from drf_tessera.conf.tenants import list_schema_apps as list_schema_apps
from drf_tessera.conf.transports import COOKIE as COOKIE
from drf_tessera.conf.transports import HEADER as HEADER
from drf_tessera.conf.transports import LIMITS as LIMITS
from drf_tessera.conf.transports import MAX_REFRESH_LENGTH as MAX_REFRESH_LENGTH
from drf_tessera.conf.values import TENANT_MARK as TENANT_MARK
from drf_tessera.conf.values import Lifetimes as Lifetimes
from drf_tessera.conf.values import Reader as Reader
from drf_tessera.conf.values import WrongValueError as WrongValueError
from drf_tessera.conf.values import give_example as give_example
from drf_tessera.conf.values import suggest_key as suggest_key
