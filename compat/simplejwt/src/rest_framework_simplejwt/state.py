"""The ``token_backend`` of simplejwt."""

from rest_framework_simplejwt.settings import api_settings as api_settings
from rest_framework_simplejwt.verifying import TokenBackend

token_backend = TokenBackend()
