"""simplejwt's ``token_backend``."""

from rest_framework_simplejwt.backends import TokenBackend

token_backend = TokenBackend()
