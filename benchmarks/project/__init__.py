"""A small Django project: one protected view, its open twin, and the peer's own login and refresh."""
