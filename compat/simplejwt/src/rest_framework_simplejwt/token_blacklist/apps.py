"""simplejwt's app of tables."""

from __future__ import annotations

from django.apps import AppConfig


class TokenBlacklistConfig(AppConfig):
    """The label and the tables of simplejwt, so that an existing database has nothing to apply."""

    name = "rest_framework_simplejwt.token_blacklist"
    verbose_name = "Token Blacklist"
    default_auto_field = "django.db.models.BigAutoField"
