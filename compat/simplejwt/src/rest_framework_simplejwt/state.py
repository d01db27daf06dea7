"""The ``token_backend`` of simplejwt."""

from rest_framework_simplejwt.backends import TokenBackend

token_backend = TokenBackend()
