"""Called when drf-tessera is ready."""

from __future__ import annotations

from django.core.checks import Tags, register

from drf_tessera.conf import expect_legacy_tokens, translate_setting
from rest_framework_simplejwt.settings import SHAPES, translate


def connect() -> None:
    """Have ``SIMPLE_JWT`` read, and check it."""
    expect_legacy_tokens()
    translate_setting("SIMPLE_JWT", translate, SHAPES)
    from rest_framework_simplejwt import checks  # noqa: PLC0415 - it reads the urls' views

    register(checks.check_distribution, Tags.compatibility)
    register(checks.check_settings, Tags.security)
    register(checks.check_urls, Tags.urls)
