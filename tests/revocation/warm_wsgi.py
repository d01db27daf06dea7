"""A project that asks for the state of the feed while it is loaded, as a health check at the start does."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from drf_tessera.revocation import describe_feed  # noqa: E402 - Django is ready now

describe_feed()
