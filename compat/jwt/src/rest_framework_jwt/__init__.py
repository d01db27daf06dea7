"""The names of djangorestframework-jwt on top of drf-tessera. Each name calls drf-tessera's public API."""

__version__ = "1.11.0+tessera"
