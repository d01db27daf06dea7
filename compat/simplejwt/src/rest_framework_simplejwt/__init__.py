"""The names of simplejwt on top of drf-tessera. Each name calls drf-tessera's public API."""

__version__ = "5.5.1+tessera"
