"""simplejwt's names on top of drf-tessera: translation only, over its public API."""

__version__ = "5.5.1+tessera"
