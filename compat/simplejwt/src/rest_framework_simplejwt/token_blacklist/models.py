"""The tables of simplejwt. Each login writes one row, and a refresh writes no row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from rest_framework_simplejwt.handles import end_session, hide

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField  # Django's own class takes no type argument at run time


class _Hiding:
    """A lookup such as ``iexact`` or ``contains``, whose value is hidden like the value of ``exact``."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        super().__init__(lhs, hide(rhs))  # type: ignore[call-arg]  # the next class is a lookup


class HandleField(_TextField):
    """The text of a token of simplejwt, or the handle of a session.

    A refresh token of drf-tessera becomes the handle of its session: in a row that is saved, and in a filter.
    So the table holds no token that lets anybody in, and ``filter(token=raw)`` finds the session of a token.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Return the handle for a refresh token."""
        return super().get_prep_value(hide(value))

    def get_lookup(self, lookup_name: str) -> Any:
        """Return the lookup, which also hides a token where Django passes the value on unchanged."""
        found = super().get_lookup(lookup_name)
        return None if found is None else type(found.__name__, (_Hiding, found), {})

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Put the handle into the object too."""
        value = hide(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value

    def deconstruct(self) -> Any:
        """Return the description of simplejwt's field, because it is the same column."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


class OutstandingToken(models.Model):
    """A refresh token that simplejwt issued, or a session. The ``token`` of a session is its handle."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    jti = models.CharField(unique=True, max_length=255)
    token = HandleField()
    created_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:  # noqa: D106 - Django's own convention
        verbose_name = _("Outstanding Token")
        verbose_name_plural = _("Outstanding Tokens")
        abstract = not apps.is_installed("rest_framework_simplejwt.token_blacklist")
        ordering = ("user",)

    def __str__(self) -> str:
        return _("Token for %(user)s (%(jti)s)") % {"user": self.user, "jti": self.jti}


class BlacklistedTokens(models.QuerySet["BlacklistedToken"]):
    """A queryset that ends the sessions of new rows."""

    def bulk_create(self, objs: Iterable[BlacklistedToken], *args: Any, **kwargs: Any) -> Any:
        """Write the rows, and end their sessions."""
        rows = list(objs)
        written = super().bulk_create(rows, *args, **kwargs)
        for row in rows:
            end_session(row.token)
        return written


class BlacklistedToken(models.Model):
    """A token that is refused. A new row ends the session of its token."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    token = models.OneToOneField(OutstandingToken, on_delete=models.CASCADE)
    blacklisted_at = models.DateTimeField(auto_now_add=True)

    objects = BlacklistedTokens.as_manager()

    class Meta:  # noqa: D106 - Django's own convention
        verbose_name = _("Blacklisted Token")
        verbose_name_plural = _("Blacklisted Tokens")
        abstract = not apps.is_installed("rest_framework_simplejwt.token_blacklist")

    def __str__(self) -> str:
        return _("Blacklisted token for %(user)s") % {"user": self.token.user}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row, and end its session. Projects use this to log somebody out everywhere."""
        super().save(*args, **kwargs)
        end_session(self.token)
