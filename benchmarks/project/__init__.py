"""A small Django project with a protected view, its open twin, and the peer's own login and refresh."""
