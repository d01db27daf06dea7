"""The endpoints. Include them with ``path("api/token/", include("drf_tessera.rest.urls"))``."""

from __future__ import annotations

from django.urls import URLPattern, path

from drf_tessera.rest import views

urlpatterns: list[URLPattern] = [
    path("", views.LoginView.as_view(), name="token_obtain_pair"),
    path("refresh/", views.RefreshView.as_view(), name="token_refresh"),
    path("verify/", views.VerifyView.as_view(), name="token_verify"),
    path("revoke/", views.RevokeView.as_view(), name="token_revoke"),
    path("sessions/", views.SessionListView.as_view(), name="token_sessions"),
    path("sessions/others/", views.OtherSessionsView.as_view(), name="token_sessions_others"),
    path("sessions/<str:session_id>/", views.SessionDetailView.as_view(), name="token_session"),
]
