"""How often a login or a token may be tried.

- counters: counts in the cache, in fixed windows
- turns: how many logins are checked at the same time
- logins: the limits of failed logins
- tokens: the limits of refreshes, verifications and logouts
"""

from drf_tessera.limits.counters import begin_anew as begin_anew
from drf_tessera.limits.logins import admit_account as admit_account
from drf_tessera.limits.logins import admit_address as admit_address
from drf_tessera.limits.logins import login_attempt as login_attempt
from drf_tessera.limits.logins import refund_address as refund_address
from drf_tessera.limits.tokens import TokenRequest as TokenRequest
