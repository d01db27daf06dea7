"""The entry point that drf-tessera calls when its app is ready."""

from __future__ import annotations

from django.core.checks import Tags, register

from drf_tessera.conf import expect_legacy_tokens, translate_setting
from rest_framework_jwt import checks
from rest_framework_jwt.settings import SHAPES, translate


def connect() -> None:
    """Register the translation and the checks of ``JWT_AUTH``."""
    expect_legacy_tokens()
    translate_setting("JWT_AUTH", translate, SHAPES)
    register(checks.check_settings, Tags.security)
