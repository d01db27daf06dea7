"""Tables: columns, constraints, querysets. No flow."""

from __future__ import annotations

import uuid
from datetime import datetime
from inspect import getattr_static
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.lookups import IsNull

from drf_tessera import rotation

USER_AGENT_LENGTH: Final = 255
LABEL_LENGTH: Final = 64
SCOPE_LENGTH: Final = 255


class SessionQuerySet(models.QuerySet["Session"]):
    """The questions that are asked of sessions."""

    def live(self, now: datetime) -> SessionQuerySet:
        """Keep the sessions that can still be refreshed (whatever has become of their user)."""
        return self.filter(revoked_at__isnull=True, idle_expires_at__gt=now, expires_at__gt=now)

    def ended_before(self, moment: datetime) -> SessionQuerySet:
        """Keep the sessions that had ended, in whatever way, by ``moment``, and need not be remembered."""
        return self.filter(
            Q(revoked_at__lte=moment) | Q(idle_expires_at__lte=moment) | Q(expires_at__lte=moment),
            Q(kept_until__isnull=True) | Q(kept_until__lte=moment),
        )

    def of_active_user(self) -> SessionQuerySet:
        """Keep the sessions whose user exists and may log in, as part of the same statement.

        See :func:`active_users`.

        Not by ``EXISTS``: PostgreSQL plans that as a join, which takes it longer than to carry the
        statement out (``python -m benchmarks.stages``).
        """
        user = active_users().filter(pk=OuterRef("user_id")).order_by().values("pk")[:1]
        return self.filter(IsNull(Subquery(user), False))


def active_users() -> models.QuerySet[Any]:
    """Select the users that may log in, as far as the database can tell (:func:`columns_tell_who_is_active`).

    The default manager is asked, as Django's own login does. So a manager that hides users (soft deletion)
    also ends their refreshes. A manager that joins, groups or removes duplicates is asked in a sub-select,
    because PostgreSQL cannot lock the rows of such a statement.
    """
    model = get_user_model()
    users = model._default_manager.all()
    if not has_plain_manager(model):
        users = models.QuerySet(model).filter(pk__in=users.order_by().values("pk"))
    return users.filter(is_active=True) if _find_active_column(model) else users


def columns_tell_who_is_active() -> bool:
    """Return whether a statement can find out which users may log in.

    If not, each user has to be loaded and asked: ``is_active`` is a property or a method of the user model,
    or a manager of the project's own selects the users.
    """
    model = get_user_model()
    always = getattr_static(model, "is_active", True) is True
    return has_plain_manager(model) and (always or _find_active_column(model) is not None)


def _find_active_column(model: Any) -> Any:
    """Return the field behind ``is_active``, or ``None`` if Python code decides what ``is_active`` is."""
    column = next((field for field in model._meta.concrete_fields if field.name == "is_active"), None)
    behind = getattr(getattr_static(model, "is_active", None), "field", None)
    return column if isinstance(column, models.BooleanField) and behind is column else None


_SELECTING: Final = ("__init__", "__iter__", "_clone", "_fetch_all", "filter", "get", "iterator")


def has_plain_manager(model: Any) -> bool:
    """Return whether the default manager selects all rows of a model, and adds nothing to them."""
    manager = model._default_manager
    queryset = getattr(manager, "_queryset_class", models.QuerySet)
    plain = getattr(manager.get_queryset, "__func__", None) is models.Manager.get_queryset
    return plain and all(getattr(queryset, name) is getattr(models.QuerySet, name) for name in _SELECTING)


class Session(models.Model):
    """One login, for its whole life.

    Storage grows with logins and never with refreshes. Nothing in a row lets anybody in: it has the
    digest of a 128-bit random secret, and a refresh token needs the secret itself and a MAC under
    the server's key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(help_text="When the login was.")
    rotated_at = models.DateTimeField(null=True, help_text="When the refresh token last changed.")
    idle_expires_at = models.DateTimeField(help_text="Without a refresh the session ends here.")
    expires_at = models.DateTimeField(help_text="The session ends here whatever happens.")
    secret_hash = models.BinaryField(max_length=32, editable=False)
    generation = models.PositiveBigIntegerField(default=0)
    parent = models.PositiveBigIntegerField(
        null=True, help_text="The generation that the current one was issued for."
    )
    recoveries = models.PositiveSmallIntegerField(
        default=0, help_text="Lost answers in a row since the current token was last used."
    )
    auth_time = models.DateTimeField(help_text="When the user last proved who they are.")
    amr = models.CharField(max_length=64, blank=True, help_text="How (RFC 8176), separated by spaces.")
    scope = models.CharField(max_length=SCOPE_LENGTH, blank=True, help_text="RFC 6749, section 3.3.")
    ip = models.GenericIPAddressField(null=True, help_text="The address of the login.")
    user_agent = models.CharField(max_length=USER_AGENT_LENGTH, blank=True)
    label = models.CharField(
        max_length=LABEL_LENGTH, blank=True, help_text="The client's own name for its device."
    )
    revoked_at = models.DateTimeField(null=True)
    revoked_for = models.CharField(max_length=32, blank=True)
    kept_until = models.DateTimeField(
        null=True,
        help_text="The row stays until then, so that the token of another package that began the session "
        "cannot begin it again.",
    )

    objects = SessionQuerySet.as_manager()

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def position(self) -> rotation.Position:
        """Where the session stands in its chain of refresh tokens."""
        return rotation.Position(
            generation=self.generation,
            parent=self.parent,
            recoveries=self.recoveries,
            rotated_at=self.rotated_at,
        )

    @property
    def last_used_at(self) -> datetime:
        """When the session last moved: its latest rotation, or its login."""
        return self.rotated_at or self.created_at


class Revocation(models.Model):
    """The news that a session ended early, for as long as an access token of it may live.

    No foreign key: the news outlives the session and its user. The primary key grows with the time,
    which is all that readers need (see :mod:`drf_tessera.stores`).
    """

    id = models.BigAutoField(primary_key=True)
    session_id = models.UUIDField()
    until = models.BigIntegerField(
        db_index=True, help_text="No access token of the session lives longer, in seconds since the epoch."
    )

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return str(self.session_id)
