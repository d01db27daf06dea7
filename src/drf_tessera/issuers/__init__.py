"""Tokens of other issuers: their keys, their claims, and their users.

- published: the keys of a JSON Web Key Set
- fetching: a bounded GET; the home of the HTTP library
- provider: the keys of one issuer, kept through its outages
- principals: the token of another issuer, and a caller without a user
- verifying: from a token of another issuer to its claims
- accounts: the user of this project that a token stands for
"""

from drf_tessera.issuers.accounts import check_accounts as check_accounts
from drf_tessera.issuers.accounts import find_account as find_account
from drf_tessera.issuers.accounts import preview_account as preview_account
from drf_tessera.issuers.fetching import can_fetch as can_fetch
from drf_tessera.issuers.principals import ForeignToken as ForeignToken
from drf_tessera.issuers.principals import Principal as Principal
from drf_tessera.issuers.verifying import find_entry as find_entry
from drf_tessera.issuers.verifying import is_foreign as is_foreign
from drf_tessera.issuers.verifying import matches_claim as matches_claim
from drf_tessera.issuers.verifying import recall_foreign_token as recall_foreign_token
from drf_tessera.issuers.verifying import verify_foreign_token as verify_foreign_token
