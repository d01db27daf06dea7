"""Which sessions ended early: the stores of notices, the feed of each process, and publishing.

- stores: where notices are kept: a table or a cache
- feed: what this process knows
- publish: tell every process that a session has ended
"""

from drf_tessera.revocation.feed import check_session as check_session
from drf_tessera.revocation.publish import prune_notices as prune_notices
from drf_tessera.revocation.publish import publishing as publishing
