"""An ``UPDATE`` that is compiled once and executed many times, and a sub-select with a lock.

Django builds and compiles a statement again for each use. For the statement of the normal refresh, that costs
more than its execution in the database. Therefore that statement is compiled once, with marks in place of its
values. Each execution puts the values in the places of the marks. Django still writes the SQL and prepares
each value for its column, on every database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Field, QuerySet
from django.db.models.sql import UpdateQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The column of a value, and the mark: a unique value that stands in its place."""

    field: Field[Any, Any]
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A compiled statement. It holds no values, so its ``repr`` shows none."""

    using: str
    sql: str
    places: tuple[tuple[str | None, Any], ...]
    """One entry for each parameter: the name of its value, or ``None`` and a constant."""
    fields: Mapping[str, Field[Any, Any]]

    def execute(self, values: Mapping[str, Any]) -> int:
        """Execute the statement with ``values``, and return the number of rows that it changed."""
        connection = connections[self.using]
        ready = {
            name: field.get_db_prep_value(values[name], connection) for name, field in self.fields.items()
        }
        parameters = [constant if name is None else ready[name] for name, constant in self.places]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            return int(cursor.rowcount)


def compile_update(
    rows: QuerySet[Any], changes: Mapping[str, Any], marks: Mapping[str, Mark]
) -> Statement | None:
    """Compile ``rows.update(**changes)``. The conditions and the changes contain the values of ``marks``.

    ``None`` means that the parameters do not contain every mark, because this database writes values in
    another way. Then the statement has to be built each time.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(dict(changes))
    sql, parameters = query.get_compiler(using=rows.db).as_sql()
    connection = connections[rows.db]
    prepared = {
        name: _unwrap(mark.field.get_db_prep_value(mark.value, connection)) for name, mark in marks.items()
    }
    places = tuple(_find_place(parameter, prepared) for parameter in parameters)
    if {name for name, _ in places} - {None} != marks.keys():
        return None
    fields = {name: mark.field for name, mark in marks.items()}
    return Statement(using=rows.db, sql=sql, places=places, fields=fields)


def _find_place(parameter: Any, prepared: Mapping[str, Any]) -> tuple[str | None, Any]:
    bare = _unwrap(parameter)
    for name, value in prepared.items():
        if type(value) is type(bare) and value == bare:
            return name, None
    return None, parameter


def _unwrap(value: Any) -> Any:
    """Return the bytes inside a driver's own object for bytes, because such an object equals only itself."""
    return bytes(value.obj) if hasattr(value, "obj") else value
