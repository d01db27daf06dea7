"""The names of djangorestframework-jwt on top of drf-tessera: translation only, over its public API."""

__version__ = "1.11.0+tessera"
