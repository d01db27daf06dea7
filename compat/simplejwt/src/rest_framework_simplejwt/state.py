"""The ``token_backend`` of simplejwt."""

from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.settings import api_settings as api_settings

token_backend = TokenBackend()
