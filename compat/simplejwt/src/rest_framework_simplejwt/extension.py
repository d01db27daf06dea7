"""The entry point that drf-tessera calls when its app is ready."""

from __future__ import annotations

from django.core.checks import Tags, register

from drf_tessera.conf import expect_legacy_tokens, translate_setting
from rest_framework_simplejwt.settings import SHAPES, translate


def connect() -> None:
    """Register the translation and the checks of ``SIMPLE_JWT``."""
    expect_legacy_tokens()
    translate_setting("SIMPLE_JWT", translate, SHAPES)
    from rest_framework_simplejwt import checks  # noqa: PLC0415 - it imports views, which need the apps

    register(checks.check_settings, Tags.security)
    register(checks.check_urls, Tags.urls)
