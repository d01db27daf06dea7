"""SQL expressions that Django does not have: the time of the database, and a sub-select with a lock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import DateTimeField, DurationField, Expression, Subquery

CLOCKS: Final = {
    # The present, and not the time of the transaction or of the statement, which may have waited for a lock.
    # `revocation.stores.Epoch` is the time of the statement instead, because an index can serve that.
    "postgresql": "(clock_timestamp() + %s)",
    "mysql": "(UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND)",
}
"""A time of the database's clock, by the vendor of the database."""


class DatabaseTime(Expression):
    """The time of the database's clock, plus ``shift``, as the database stores a ``DateTimeField``."""

    def __init__(self, shift: timedelta) -> None:
        super().__init__(output_field=DateTimeField())
        self.shift = shift

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return the SQL with the shift as its parameter."""
        return CLOCKS[connection.vendor], [DurationField().get_db_prep_value(self.shift, connection)]


class LockingSubquery(Subquery):
    """A sub-select with a lock, in a statement that is a transaction by itself.

    ``select_for_update`` needs a transaction around it, which costs two more statements. SQLite has one
    writer at a time and needs no lock.
    """

    def as_sql(self, compiler: Any, connection: Any, template: str | None = None, **extra: Any) -> Any:
        """Return the SQL with the lock at its end."""
        locks = connection.features.has_select_for_update
        locking = "(%(subquery)s FOR UPDATE)" if locks else template
        return super().as_sql(compiler, connection, template=locking, **extra)
