"""The app for projects that have ``rest_framework_jwt`` in ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig


class JWTConfig(AppConfig):
    """An app without models."""

    name = "rest_framework_jwt"
    verbose_name = "Names of djangorestframework-jwt"
