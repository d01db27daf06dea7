"""The tables of simplejwt. Each login writes one row, and a refresh writes no row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models


class OutstandingToken(models.Model):
    """A refresh token that simplejwt issued, or a session. The ``token`` of a session is empty."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    jti = models.CharField(unique=True, max_length=255)
    token = models.TextField()
    created_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:  # noqa: D106 - Django's own convention
        verbose_name = "Outstanding Token"
        verbose_name_plural = "Outstanding Tokens"
        abstract = not apps.is_installed("rest_framework_simplejwt.token_blacklist")
        ordering = ("user",)

    def __str__(self) -> str:
        return f"Token for {self.user} ({self.jti})"


class BlacklistedTokens(models.QuerySet["BlacklistedToken"]):
    """A queryset that ends the sessions of new rows."""

    def bulk_create(self, objs: Iterable[BlacklistedToken], *args: Any, **kwargs: Any) -> Any:
        """Write the rows, and end their sessions."""
        rows = list(objs)
        written = super().bulk_create(rows, *args, **kwargs)
        _end_sessions(rows)
        return written


class BlacklistedToken(models.Model):
    """A token that is refused. A new row ends the session of its token."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    token = models.OneToOneField(OutstandingToken, on_delete=models.CASCADE)
    blacklisted_at = models.DateTimeField(auto_now_add=True)

    objects = BlacklistedTokens.as_manager()

    class Meta:  # noqa: D106 - Django's own convention
        verbose_name = "Blacklisted Token"
        verbose_name_plural = "Blacklisted Tokens"
        abstract = not apps.is_installed("rest_framework_simplejwt.token_blacklist")

    def __str__(self) -> str:
        return f"Blacklisted token for {self.token.user}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row, and end its session. Projects use this to log somebody out everywhere."""
        super().save(*args, **kwargs)
        _end_sessions([self])


def _end_sessions(rows: Iterable[BlacklistedToken]) -> None:
    from rest_framework_simplejwt.legacy import end_session  # noqa: PLC0415 - it needs these models

    for row in rows:
        end_session(row.token)
