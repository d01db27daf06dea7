"""The app of simplejwt's tables."""

from __future__ import annotations

from django.apps import AppConfig


class TokenBlacklistConfig(AppConfig):
    """The app with simplejwt's label and tables, so that an existing database needs no migration."""

    name = "rest_framework_simplejwt.token_blacklist"
    verbose_name = "Token Blacklist"
    default_auto_field = "django.db.models.BigAutoField"
