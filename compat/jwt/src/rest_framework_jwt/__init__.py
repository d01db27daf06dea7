"""The names of djangorestframework-jwt on top of drf-tessera. Each name calls drf-tessera's public API.

A module also has the names that djangorestframework-jwt's module only imports, because projects import them
from there.
"""

__version__ = VERSION = "1.11.0+tessera"
