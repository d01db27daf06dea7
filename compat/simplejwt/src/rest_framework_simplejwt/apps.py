"""The app for projects that have ``rest_framework_simplejwt`` in ``INSTALLED_APPS``."""

from __future__ import annotations

from django.apps import AppConfig


class SimpleJWTConfig(AppConfig):
    """An app without models."""

    name = "rest_framework_simplejwt"
    verbose_name = "Names of simplejwt"
