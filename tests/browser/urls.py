"""The tests' project with pages for a browser: its own page, and a page of an attacker."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.admin import site
from django.contrib.auth.models import User
from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.admin import SessionInline
from drf_tessera.rest.permissions import RecentLogin
from drf_tessera.rest.proving import ProveView
from drf_tessera.rest.tickets import TicketView
from tests.recipes.page import RECIPES
from tests.urls import urlpatterns as _tests_urls

site.get_model_admin(User).inlines = [SessionInline]  # as docs/howto/admin.md writes it into a class

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<script type="module">
import { createClient, TesseraError } from "/static/drf_tessera/client.js";
window.TesseraError = TesseraError;
window.events = [];
window.skipped = 0; // milliseconds that a test lets pass on the clocks of this page's client
window.start = ({ quick, slowly = 1, ...options }) => {
  // A busy machine delivers messages between tabs late. This client keeps its lock that much longer.
  const { setTimeout } = window;
  window.setTimeout = (action, wait) => setTimeout(action, wait * slowly);
  const environment = {
    monotonic: () => performance.now() + skipped,
    wall: () => Date.now() + skipped,
    ...(quick ? { random: () => 0.05 } : {}), // retries at once, for tests with many
  };
  window.client = createClient({ baseUrl: "/api/token/", environment, ...options });
  for (const event of ["signedin", "refreshed", "signedout"]) {
    client.on(event, (detail) => events.push([event, detail.reason ?? null]));
  }
};
window.ready = true;
</script></html>"""


def show_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def show_empty(request: HttpRequest) -> HttpResponse:
    """Return an empty page of another site. The test adds its content."""
    return HttpResponse("<!doctype html><title>Another page</title>")


def show_recipe(request: HttpRequest, name: str) -> HttpResponse:
    """Return the code of a recipe of docs/howto/front-ends.md."""
    code = "export const { client } = window;" if name == "client.js" else RECIPES[name]
    headers = {"Service-Worker-Allowed": "/"}
    return HttpResponse(code, content_type="text/javascript", headers=headers)


class Change(APIView):
    """A view that changes data."""

    def post(self, request: Request) -> Response:
        return Response({"changed": True})


class Payment(APIView):
    """A view that wants a recent proof."""

    permission_classes = (IsAuthenticated, RecentLogin(timedelta(hours=1)))

    def post(self, request: Request) -> Response:
        return Response({"paid": request.data["sum"]})


urlpatterns = [
    *_tests_urls,
    path("page/", show_page),
    path("empty/", show_empty),
    path("recipes/<name>", show_recipe),
    path("change/", Change.as_view()),
    path("payments/", Payment.as_view()),
    path("api/token/prove/", ProveView.as_view()),
    path("api/ticket/", TicketView.as_view()),
    re_path(r"^static/(?P<path>.*)$", serve, {"insecure": True}),
]
