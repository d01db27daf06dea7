"""The tables: columns, constraints and querysets. This module contains no flow."""

from __future__ import annotations

import uuid
from datetime import datetime
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from drf_tessera import rotation

USER_AGENT_LENGTH: Final = 255
DEVICE_LENGTH: Final = 64
LABEL_LENGTH: Final = 64
SCOPE_LENGTH: Final = 255
_GENERATIONS: Final = 2**32
"""The column ``parent`` holds the parent's branch, multiplied by this number, plus its generation."""


if TYPE_CHECKING:
    # The types that a checker reads. Django's fields take no type arguments at run time.
    _Moment = models.DateTimeField[datetime, datetime]
    _MaybeMoment = models.DateTimeField[datetime | None, datetime | None]
    _Text = models.CharField[str, str]


class SessionQuerySet(models.QuerySet["Session"]):
    """The filters for sessions."""

    def uncached(self) -> SessionQuerySet:
        """Return the same rows past a cache of queries. Such packages (cacheops) do not see an UPDATE."""
        rows: Any = self
        return rows.nocache() if hasattr(rows, "nocache") else rows  # type: ignore[no-any-return]

    def live(self, now: datetime) -> SessionQuerySet:
        """Return the sessions that can still be refreshed. The state of their user is not checked."""
        return self.filter(revoked_at__isnull=True, idle_expires_at__gt=now, expires_at__gt=now)

    def ended_before(self, moment: datetime) -> SessionQuerySet:
        """Return the sessions that ended at ``moment`` or earlier, and whose rows are no longer needed."""
        return self.filter(
            Q(revoked_at__lte=moment) | Q(idle_expires_at__lte=moment) | Q(expires_at__lte=moment),
            Q(kept_until__isnull=True) | Q(kept_until__lte=moment),
        )

    def of_active_user(self) -> SessionQuerySet:
        """Return the sessions whose user exists and may log in, as part of the same statement.

        See :func:`active_users`.

        The filter does not use ``EXISTS``, because PostgreSQL plans ``EXISTS`` as a join. That planning
        takes longer than the execution of the statement (``python -m benchmarks.stages``).
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
    column = getattr(getattr_static(model, "is_active", None), "field", None)
    if not isinstance(column, models.BooleanField) or column.name != "is_active":
        return None
    return column if issubclass(model, column.model) else None


_SELECTING: Final = ("__init__", "__iter__", "_clone", "_fetch_all", "filter", "get", "iterator")


def has_plain_manager(model: Any) -> bool:
    """Return whether the default manager selects all rows of a model, and adds nothing to them."""
    manager = model._default_manager
    queryset = getattr(manager, "_queryset_class", None)
    if getattr(manager.get_queryset, "__func__", None) is not models.Manager.get_queryset:
        return False
    return queryset is models.QuerySet or all(
        getattr(queryset, name) is getattr(models.QuerySet, name) for name in _SELECTING
    )


ACTOR_LENGTH: Final = 64


class Session(models.Model):
    """One login, for its whole life.

    The table grows with logins and never with refreshes. A copy of a row gives no access: the row
    contains the digest of a 128-bit random secret, but a refresh token needs the secret itself and a MAC
    under the server's key.
    """

    # The order of the columns in a new table: those of eight bytes first, so that PostgreSQL pads none. The
    # size of a row is a multiple of eight, and tests/sessions/test_row_updates.py has the present one.
    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        verbose_name=_("id"), primary_key=True, default=uuid.uuid4, editable=False
    )
    created_at: _Moment = models.DateTimeField(verbose_name=_("login"), help_text=_("The time of the login."))
    rotated_at: _MaybeMoment = models.DateTimeField(
        verbose_name=_("last refresh"), null=True, help_text=_("The time of the last rotation.")
    )
    idle_expires_at: _Moment = models.DateTimeField(
        verbose_name=_("end without a refresh"),
        help_text=_("Without a refresh the session ends at this time."),
    )
    expires_at: _Moment = models.DateTimeField(
        verbose_name=_("latest end"), help_text=_("The session ends at this time in any case.")
    )
    proved_at: _MaybeMoment = models.DateTimeField(
        verbose_name=_("last proof of identity"),
        null=True,
        help_text=_("The time when the user last proved their identity."),
    )
    revoked_at: _MaybeMoment = models.DateTimeField(verbose_name=_("ended at"), null=True)
    kept_until: _MaybeMoment = models.DateTimeField(
        verbose_name=_("kept until"),
        null=True,
        help_text=_(
            "The row is kept until this time, because the token of another package that started the "
            "session must not start it again."
        ),
    )
    parent: models.PositiveBigIntegerField[int | None, int | None] = models.PositiveBigIntegerField(
        null=True,
        help_text=_("The generation and (upper bits) branch of the token that became the current token."),
    )
    generation: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(
        verbose_name=_("number of refreshes"), default=0
    )
    user: models.ForeignKey[AbstractBaseUser, AbstractBaseUser] = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    user_id: Any
    """The primary key of the user."""
    recoveries: models.PositiveSmallIntegerField[int, int] = models.PositiveSmallIntegerField(
        verbose_name=_("lost answers"),
        default=0,
        help_text=_("The number of lost answers in a row since the last rotation."),
    )
    personal: models.BooleanField[bool, bool] = models.BooleanField(
        verbose_name=_("personal access token"),
        default=False,
        help_text=_("Whether this is a personal access token, and not a login. Its label is its name."),
    )
    secret_hash: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=16, editable=False)
    amr: _Text = models.CharField(
        verbose_name=_("methods of the login"),
        max_length=64,
        blank=True,
        help_text=_("The methods of this proof (RFC 8176), separated by spaces."),
    )
    actor: _Text = models.CharField(
        verbose_name=_("acting person"),
        max_length=ACTOR_LENGTH,
        blank=True,
        help_text=_("The person who acts as the user (RFC 8693), as in `sub`."),
    )
    scope: _Text = models.CharField(
        verbose_name=_("scopes"), max_length=SCOPE_LENGTH, blank=True, help_text=_("RFC 6749, section 3.3.")
    )
    ip: models.GenericIPAddressField[str | None, str | None] = models.GenericIPAddressField(
        verbose_name=_("address"), null=True, help_text=_("The address of the login.")
    )
    device: _Text = models.CharField(
        verbose_name=_("device"),
        max_length=DEVICE_LENGTH,
        blank=True,
        help_text=_('A name from the user agent: "Firefox on Windows".'),
    )
    label: _Text = models.CharField(
        verbose_name=_("name of the device"),
        max_length=LABEL_LENGTH,
        blank=True,
        help_text=_("The client's own name for its device."),
    )
    revoked_for: _Text = models.CharField(verbose_name=_("reason of the end"), max_length=32, blank=True)

    objects: ClassVar[models.Manager[Session]] = SessionQuerySet.as_manager()

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"
        verbose_name: ClassVar[Any] = _("session")
        verbose_name_plural: ClassVar[Any] = _("sessions")
        permissions: ClassVar[Any] = [
            ("end_all_sessions", "Can end the sessions of everybody"),
            ("impersonate", "Can act as another person for some minutes"),
        ]
        indexes: ClassVar[Any] = [models.Index(fields=["actor"], name="tessera_session_actor")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def position(self) -> rotation.Position:
        """The position of the session in its chain of refresh tokens."""
        branch, parent = divmod(self.parent or 0, _GENERATIONS)
        return rotation.Position(
            generation=self.generation,
            parent=None if self.parent is None else parent,
            parent_branch=branch,
            recoveries=self.recoveries,
            rotated_at=self.rotated_at,
        )

    @property
    def auth_time(self) -> datetime:
        """The time when the user last proved their identity: the time of the login, or a later one."""
        return self.proved_at or self.created_at

    @property
    def last_used_at(self) -> datetime:
        """The time of the latest rotation. Without a rotation, the time of the login.

        A personal access token has no rotation. Its use is recorded in the same column, about once an hour.
        """
        return self.rotated_at or self.created_at


def pack_parent(position: rotation.Position) -> int | None:
    """Return the value of the column ``parent`` for a position."""
    if position.parent is None:
        return None
    return position.parent_branch * _GENERATIONS + position.parent


INSTALLATION_LENGTH: Final = 22
"""128 random bits in base64url."""


class Installation(models.Model):
    """The id of this installation, in its only row (:mod:`drf_tessera.installation`)."""

    id: models.PositiveSmallIntegerField[int, int] = models.PositiveSmallIntegerField(
        primary_key=True, default=1, editable=False
    )
    """Always 1, so that two processes cannot create two rows."""
    name: _Text = models.CharField(
        max_length=INSTALLATION_LENGTH, editable=False, help_text="128 random bits, in base64url."
    )
    created_at: _Moment = models.DateTimeField()

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return self.name


class Revocation(models.Model):
    """The notice that sessions ended early: one session, all sessions of a user, or those of everybody.

    The row is needed while an access token of the sessions may be valid. It has no foreign key, because it
    outlives the sessions and their user. Readers only need a primary key that grows with time (see
    :mod:`drf_tessera.revocation.stores`). The notice of one session has no scope.
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    session_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        help_text="The session that ended. In a notice of many sessions: the session that was kept, or zero."
    )
    until: models.BigIntegerField[int, int] = models.BigIntegerField(
        db_index=True,
        help_text="The end of the last access token of the sessions, in seconds since the epoch.",
    )
    scope: _Text = models.CharField(
        max_length=320,
        blank=True,
        help_text="In a notice of many sessions: the seconds before which sessions have ended, and may have "
        "ended, a random number, and the user. Without a user, the notice is about everybody.",
    )

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return self.scope or str(self.session_id)


class SpentTicket(models.Model):
    """A one-time ticket that was used (:mod:`drf_tessera.tickets`), needed until the ticket expires."""

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, editable=False)
    until: models.BigIntegerField[int, int] = models.BigIntegerField(
        help_text="The end of the ticket, in seconds since the epoch."
    )

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"

    def __str__(self) -> str:
        return str(self.pk)


class SigningKey(models.Model):
    """A key pair that signs access tokens. The private part is encrypted under a key from ``SECRET_KEY``.

    Only :mod:`drf_tessera.keys` writes the rows. They hold the times that cannot be derived; all others
    follow from them.
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    tenant: _Text = models.CharField(
        verbose_name=_("tenant"), max_length=100, blank=True, help_text=_("Empty without tenants.")
    )
    number: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(
        help_text="Counts the keys of a tenant. Two servers cannot make the same one."
    )
    kid: _Text = models.CharField(max_length=64, help_text=_("The thumbprint of the key (RFC 7638)."))
    alg: _Text = models.CharField(max_length=16)
    public: models.TextField[str, str] = models.TextField(
        verbose_name=_("public key"), help_text=_("The public part, as a JWK.")
    )
    private: models.TextField[str, str] = models.TextField(
        editable=False, help_text="The private JWK, encrypted. Empty when it is not needed any longer."
    )
    published_at: _Moment = models.DateTimeField(verbose_name=_("published at"))
    signs_at: _Moment = models.DateTimeField(verbose_name=_("signs from"))
    revoked_at: _MaybeMoment = models.DateTimeField(null=True)
    cached: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(
        default=0, help_text="The longest JWKS_MAX_AGE while this was the newest key, in seconds."
    )
    lifetime: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(
        default=0, help_text="The longest ACCESS_LIFETIME while this was the newest key, in seconds."
    )

    class Meta:  # noqa: D106 - Django's own convention
        app_label = "tessera"
        verbose_name: ClassVar[Any] = _("signing key")
        verbose_name_plural: ClassVar[Any] = _("signing keys")
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=["tenant", "number"], name="tessera_key_number")
        ]

    def __str__(self) -> str:
        return self.kid
