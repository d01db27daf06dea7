"""The names of simplejwt on top of drf-tessera. Each name calls drf-tessera's public API.

A module also has the names that simplejwt's module only imports, because projects import them from there
(``from rest_framework_simplejwt.tokens import OutstandingToken``).
"""

from importlib.metadata import PackageNotFoundError as PackageNotFoundError
from importlib.metadata import version as version

__version__ = "5.5.1+tessera"
