"""Both tokens, in and out: the keys in force, the access token and the refresh token.

- cache: a map of bounded size
- frozen: claims that nobody can change
- keystore: the keys in force
- facts: the facts about a session that its tokens carry
- refresh: refresh tokens
- access: access tokens
- personal: personal access tokens
"""

from drf_tessera.tokens.access import PERSONAL_PREFIX as PERSONAL_PREFIX
from drf_tessera.tokens.access import AccessToken as AccessToken
from drf_tessera.tokens.access import build_access_token as build_access_token
from drf_tessera.tokens.access import mint_access_token as mint_access_token
from drf_tessera.tokens.access import recall_access_token as recall_access_token
from drf_tessera.tokens.access import verify_access_token as verify_access_token
from drf_tessera.tokens.cache import LRU as LRU
from drf_tessera.tokens.facts import REGISTERED_CLAIMS as REGISTERED_CLAIMS
from drf_tessera.tokens.facts import SessionFacts as SessionFacts
from drf_tessera.tokens.facts import is_scope as is_scope
from drf_tessera.tokens.frozen import FrozenToken as FrozenToken
from drf_tessera.tokens.frozen import freeze as freeze
from drf_tessera.tokens.keystore import ACCESS_TYPE as ACCESS_TYPE
from drf_tessera.tokens.keystore import VERIFIED_TOKENS as VERIFIED_TOKENS
from drf_tessera.tokens.keystore import check_key as check_key
from drf_tessera.tokens.keystore import get_issuer as get_issuer
from drf_tessera.tokens.keystore import list_public_keys as list_public_keys
from drf_tessera.tokens.personal import PERSONAL_MARK as PERSONAL_MARK
from drf_tessera.tokens.personal import PersonalToken as PersonalToken
from drf_tessera.tokens.personal import hash_personal_secret as hash_personal_secret
from drf_tessera.tokens.personal import make_personal_token as make_personal_token
from drf_tessera.tokens.personal import read_personal_token as read_personal_token
from drf_tessera.tokens.personal import remember_personal_token as remember_personal_token
from drf_tessera.tokens.personal import write_personal_token as write_personal_token
from drf_tessera.tokens.refresh import REFRESH_PREFIX as REFRESH_PREFIX
from drf_tessera.tokens.refresh import RefreshToken as RefreshToken
from drf_tessera.tokens.refresh import derive_secrets as derive_secrets
from drf_tessera.tokens.refresh import hash_secret as hash_secret
from drf_tessera.tokens.refresh import make_branch as make_branch
from drf_tessera.tokens.refresh import make_secret as make_secret
from drf_tessera.tokens.refresh import read_refresh_token as read_refresh_token
from drf_tessera.tokens.refresh import write_refresh_token as write_refresh_token
