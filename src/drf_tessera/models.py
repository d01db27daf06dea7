"""Tables: columns, constraints, querysets. No flow."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.lookups import IsNull

from drf_tessera import rotation

USER_AGENT_LENGTH: Final = 255
LABEL_LENGTH: Final = 64
SCOPE_LENGTH: Final = 255


if TYPE_CHECKING:
    # The types that a checker reads. Django's fields take no type arguments at run time.
    _Moment = models.DateTimeField[datetime, datetime]
    _MaybeMoment = models.DateTimeField[datetime | None, datetime | None]
    _Text = models.CharField[str, str]


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

        The default manager is asked, as Django's own login does: who hides users there (soft
        deletion) ends their refreshes too. A model without an ``is_active`` column has no inactive
        users.

        Not by ``EXISTS``: PostgreSQL plans that as a join, which takes it longer than to carry the
        statement out (``python -m benchmarks.stages``).
        """
        user = active_users().filter(pk=OuterRef("user_id")).order_by().values("pk")[:1]
        return self.filter(IsNull(Subquery(user), False))


def active_users() -> models.QuerySet[Any]:
    """Select the users that may log in."""
    model = get_user_model()
    names = {field.name for field in model._meta.concrete_fields}
    users = model._default_manager.all()
    return users.filter(is_active=True) if "is_active" in names else users


class Session(models.Model):
    """One login, for its whole life.

    Storage grows with logins and never with refreshes. Nothing in a row lets anybody in: it has the
    digest of a 128-bit random secret, and a refresh token needs the secret itself and a MAC under
    the server's key.
    """

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    user: models.ForeignKey[AbstractBaseUser, AbstractBaseUser] = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    user_id: Any
    """The primary key of the user."""
    created_at: _Moment = models.DateTimeField(help_text="When the login was.")
    rotated_at: _MaybeMoment = models.DateTimeField(
        null=True, help_text="When the refresh token last changed."
    )
    idle_expires_at: _Moment = models.DateTimeField(help_text="Without a refresh the session ends here.")
    expires_at: _Moment = models.DateTimeField(help_text="The session ends here whatever happens.")
    secret_hash: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32, editable=False)
    generation: models.PositiveBigIntegerField[int, int] = models.PositiveBigIntegerField(default=0)
    parent: models.PositiveBigIntegerField[int | None, int | None] = models.PositiveBigIntegerField(
        null=True, help_text="The generation that the current one was issued for."
    )
    recoveries: models.PositiveSmallIntegerField[int, int] = models.PositiveSmallIntegerField(
        default=0, help_text="Lost answers in a row since the current token was last used."
    )
    auth_time: _Moment = models.DateTimeField(help_text="When the user last proved who they are.")
    amr: _Text = models.CharField(max_length=64, blank=True, help_text="How (RFC 8176), separated by spaces.")
    scope: _Text = models.CharField(max_length=SCOPE_LENGTH, blank=True, help_text="RFC 6749, section 3.3.")
    ip: models.GenericIPAddressField[str | None, str | None] = models.GenericIPAddressField(
        null=True, help_text="The address of the login."
    )
    user_agent: _Text = models.CharField(max_length=USER_AGENT_LENGTH, blank=True)
    label: _Text = models.CharField(
        max_length=LABEL_LENGTH, blank=True, help_text="The client's own name for its device."
    )
    revoked_at: _MaybeMoment = models.DateTimeField(null=True)
    revoked_for: _Text = models.CharField(max_length=32, blank=True)
    kept_until: _MaybeMoment = models.DateTimeField(
        null=True,
        help_text="The row stays until then, so that the token of another package that began the session "
        "cannot begin it again.",
    )

    objects: ClassVar[models.Manager[Session]] = SessionQuerySet.as_manager()

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
    which is all that readers need (see :mod:`drf_tessera.revocation.stores`).
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    session_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    until: models.BigIntegerField[int, int] = models.BigIntegerField(
        db_index=True, help_text="No access token of the session lives longer, in seconds since the epoch."
    )

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return str(self.session_id)
