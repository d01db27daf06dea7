"""All endpoints for tokens: those of drf-tessera, and those of both packages of ``compat/``."""

from django.urls import include, path
from rest_framework_simplejwt.views import token_obtain_sliding, token_refresh_sliding

from drf_tessera.rest.handover import AcceptHandoverView, HandoverView
from drf_tessera.rest.proving import ProveView
from drf_tessera.rest.views import IntrospectView
from tests import views

urlpatterns = [
    path("api/token/introspect/", IntrospectView.as_view()),  # a stranger is refused before the body
    path("api/token/prove/", ProveView.as_view()),  # likewise
    path("api/token/handover/", HandoverView.as_view()),  # likewise
    path("api/token/accept/", AcceptHandoverView.as_view()),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/personal-tokens/", include("drf_tessera.rest.personal_urls")),  # likewise
    path("simplejwt/", include("tests.compat.simplejwt_urls")),
    path("simplejwt/sliding/", token_obtain_sliding),
    path("simplejwt/sliding/refresh/", token_refresh_sliding),
    path("jwt/", include("tests.compat.jwt_urls")),
    path("me/", views.Me.as_view()),
    path("strict/", views.StrictMe.as_view()),
    path("public/", views.Public.as_view()),
]
