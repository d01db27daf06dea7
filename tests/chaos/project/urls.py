"""The endpoints of the package, protected views of a project, and the operator's view."""

from django.urls import include, path

from tests import views
from tests.chaos.project.views import EndEverywhere

urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("me/", views.Me.as_view()),
    path("name/", views.Name.as_view()),
    path("strict/", views.StrictMe.as_view()),
    path("operator/", EndEverywhere.as_view()),
]
