"""Keys in Django's admin. It can show the keys of the database, and no private part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from drf_tessera import keys
from drf_tessera.conf import get_settings
from drf_tessera.jose.life import NEVER, Stage
from drf_tessera.models import SigningKey
from drf_tessera.moments import from_timestamp

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    _Text = _StrPromise
    _KeyAdmin = admin.ModelAdmin[SigningKey]
else:
    _Text = str
    _KeyAdmin = admin.ModelAdmin  # Django's own class takes no type argument at run time

_KEY_COLUMNS: Final = ("kid", "alg", "stage", "published_at", "signs_at", "retires", "gone", "tenant")
_LISTED: Final = "listed"

STAGES: Final[Mapping[Stage, _Text]] = {
    Stage.PUBLISHED: pgettext_lazy("stage of a key", "published"),
    Stage.SIGNING: pgettext_lazy("stage of a key", "signing"),
    Stage.RETIRING: pgettext_lazy("stage of a key", "retiring"),
    Stage.GONE: pgettext_lazy("stage of a key", "gone"),
    Stage.REVOKED: pgettext_lazy("stage of a key", "revoked"),
}
"""The stages, in words."""


@admin.register(SigningKey)
class SigningKeyAdmin(_KeyAdmin):
    """The keys of the database. ``manage.py tessera_keys`` changes them. The private parts are on no page."""

    list_display: tuple[str, ...] = _KEY_COLUMNS
    fields: ClassVar[tuple[str, ...]] = (*_KEY_COLUMNS, "public")
    readonly_fields: ClassVar[tuple[str, ...]] = fields
    ordering: ClassVar[tuple[str, ...]] = ("tenant", "-number")
    search_fields: ClassVar[tuple[str, ...]] = ("kid", "tenant")

    @admin.display(description=_("Stage"))
    def stage(self, key: SigningKey) -> str:
        """Return the stage of the key."""
        return str(STAGES[vars(key)[_LISTED].stage])

    @admin.display(description=_("Retires"))
    def retires(self, key: SigningKey) -> str:
        """Return the time at which the next key takes over."""
        return _write_seconds(vars(key)[_LISTED].retires_at)

    @admin.display(description=_("Gone"))
    def gone(self, key: SigningKey) -> str:
        """Return the time from which nobody needs the key."""
        return _write_seconds(vars(key)[_LISTED].gone_at)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list. One query computes the stages of all its rows."""
        found = super().get_changelist_instance(request)
        found.result_list = _describe_keys(found.result_list)
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a key, with its stage."""
        found = super().get_object(request, object_id, from_field)
        return found and next(iter(_describe_keys([found])), None)

    def has_view_permission(self, request: HttpRequest, obj: SigningKey | None = None) -> bool:
        """Return whether the user may see keys, and ``KEYS`` has an entry for the database."""
        return super().has_view_permission(request, obj) and keys.uses_database(get_settings())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return ``False``, because ``tessera_keys rotate`` makes keys."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: SigningKey | None = None) -> bool:
        """Return ``False``, because nobody may edit a key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SigningKey | None = None) -> bool:
        """Return ``False``, because without its key a token is refused."""
        return False


def _describe_keys(rows: Iterable[SigningKey]) -> list[SigningKey]:
    """Return the rows with their stages. A row is left out if it was deleted in the meantime."""
    known = keys.list_all_keys()
    listed = {(tenant, key.number): key for tenant, found in known.items() for key in found}
    chosen = [row for row in rows if (row.tenant, row.number) in listed]
    for row in chosen:
        setattr(row, _LISTED, listed[row.tenant, row.number])
    return chosen


def _write_seconds(seconds: float) -> str:
    return "-" if seconds == NEVER else write_moment(from_timestamp(seconds))


def write_moment(moment: datetime) -> str:
    """Return a moment in the zone and the format of the reader."""
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")
