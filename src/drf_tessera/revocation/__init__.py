"""Which sessions ended early: the stores of notices, the feed of each process, and publishing.

- compact: a set of ids that needs little memory
- notices: the notices, and all that a process has learned from them
- stores: the table of notices, and the protocol of every store
- caches: a cache that carries notices, beside the table
- rulings: whether a session has ended, from what is known or from its row
- feed: the notices that this process knows
- publish: a notice for every process, when a session ends
"""

from drf_tessera.revocation.feed import FeedState as FeedState
from drf_tessera.revocation.feed import check_session as check_session
from drf_tessera.revocation.feed import connect as connect
from drf_tessera.revocation.feed import describe_feed as describe_feed
from drf_tessera.revocation.feed import knows_session as knows_session
from drf_tessera.revocation.notices import Notice as Notice
from drf_tessera.revocation.publish import prune_notices as prune_notices
from drf_tessera.revocation.publish import publish_for_everybody as publish_for_everybody
from drf_tessera.revocation.publish import publish_keys as publish_keys
from drf_tessera.revocation.publish import publishing as publishing
from drf_tessera.revocation.stores import Store as Store
