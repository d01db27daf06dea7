"""simplejwt's tables. Nothing is written here any more but by the project itself."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.db import models


class OutstandingToken(models.Model):
    """A refresh token that simplejwt issued."""

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


class BlacklistedToken(models.Model):
    """One that simplejwt refused; drf-tessera refuses it, too."""

    id = models.BigAutoField(primary_key=True, serialize=False)
    token = models.OneToOneField(OutstandingToken, on_delete=models.CASCADE)
    blacklisted_at = models.DateTimeField(auto_now_add=True)

    class Meta:  # noqa: D106 - Django's own convention
        verbose_name = "Blacklisted Token"
        verbose_name_plural = "Blacklisted Tokens"
        abstract = not apps.is_installed("rest_framework_simplejwt.token_blacklist")

    def __str__(self) -> str:
        return f"Blacklisted token for {self.token.user}"
