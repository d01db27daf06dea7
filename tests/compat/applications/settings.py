"""A project with dj-rest-auth, djoser and drf-spectacular, on drf-tessera-simplejwt."""

from tests.settings import *  # noqa: F403 - the same project with more apps

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405 - imported above
    "rest_framework.authtoken",
    "dj_rest_auth",
    "djoser",
    "drf_spectacular",
]
ROOT_URLCONF = "tests.compat.applications.urls"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["dj_rest_auth.jwt_auth.JWTCookieAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_AUTH = {
    "USE_JWT": True,
    "JWT_AUTH_COOKIE": "access",
    "JWT_AUTH_REFRESH_COOKIE": "refresh",
    "SESSION_LOGIN": False,
    "TOKEN_MODEL": None,
}
SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True, "AUTH_HEADER_TYPES": ("Bearer", "JWT")}
