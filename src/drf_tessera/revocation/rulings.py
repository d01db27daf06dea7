"""Whether a session has ended: from what this process has learned, or from the session's row."""

from __future__ import annotations

from uuid import UUID

from django.db import Error

from drf_tessera.database import explain_mistake, find_database, is_in_transaction, read_calmly
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.revocation.notices import Ended


def has_ended(ended: Ended, session_id: UUID, sub: str, began: int) -> bool:
    """Return whether a session has ended. If the notices leave it in doubt, its row is asked, once.

    Raises:
        RevocationUnavailable: the notices leave it in doubt, and the database does not answer.
        MigrationMissing: the notices leave it in doubt, and there is no table of sessions.
    """
    ruling = ended.judge(session_id, sub, began)
    if isinstance(ruling, bool):
        return ruling
    found = _has_row_ended(session_id)
    if not is_in_transaction():
        # A transaction may read a snapshot that is older than the notice (MariaDB's REPEATABLE READ).
        ended.settle(session_id, ruling, has_ended=found)
    return found


def _has_row_ended(session_id: UUID) -> bool:
    """Return whether the row of a session is marked as ended, or is gone together with its user."""
    rows = SessionQuerySet(Session, using=find_database()).uncached()
    try:
        return not read_calmly(rows.filter(pk=session_id, revoked_at__isnull=True).exists)
    except Error as error:
        raise (explain_mistake(error) or RevocationUnavailable()) from error
