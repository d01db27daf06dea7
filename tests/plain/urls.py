"""Plain views of every kind, protected in every way."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View

from drf_tessera.exceptions import DatabaseUnavailable
from drf_tessera.plain import TokenRequiredMixin, token_required
from tests import views


def show(request: Any) -> JsonResponse:
    error = getattr(request, "token_error", None)
    return JsonResponse(
        {
            "pk": request.user.pk and str(request.user.pk),
            "error": error and error.code,
            "method": request.method,
        }
    )


@login_not_required
def public(request: HttpRequest) -> JsonResponse:
    return show(request)


async def apublic(request: HttpRequest) -> JsonResponse:
    return show(request)


@token_required
def sync_view(request: HttpRequest) -> JsonResponse:
    return show(request)


@token_required
async def async_view(request: Any) -> JsonResponse:
    user = await request.auser()
    return JsonResponse({"name": user.get_username(), "pk": str(request.user.pk)})


@token_required(scopes=("notes:read",))
def scoped(request: HttpRequest) -> JsonResponse:
    return show(request)


@token_required
def loading(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"name": str(request.user)})


@token_required(personal=True)
def personal(request: HttpRequest) -> JsonResponse:
    return show(request)


@token_required(personal=True)
async def async_personal(request: HttpRequest) -> JsonResponse:
    return show(request)


class SyncView(TokenRequiredMixin, View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return show(request)

    post = get


class AsyncView(TokenRequiredMixin, View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return show(request)

    async def post(self, request: HttpRequest) -> JsonResponse:
        return show(request)


@method_decorator(token_required, name="dispatch")
class DecoratedView(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return show(request)


class PageView(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        page = engines["django"].from_string("<p>{{ user.get_username }}</p>")
        return HttpResponse(page.render({"user": request.user}, request))


@login_required
def page(request: HttpRequest) -> JsonResponse:
    return show(request)


def form(request: HttpRequest) -> JsonResponse:
    """Return the user of a view that Django's CSRF check and ``LoginRequiredMiddleware`` protect."""
    return show(request)


def busy(request: HttpRequest) -> JsonResponse:
    raise DatabaseUnavailable


def boom(request: HttpRequest) -> JsonResponse:
    raise ValueError("not ours")


urlpatterns = [
    path("", include("drf_tessera.rest.metadata")),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("rest/", views.Public.as_view()),
    path("me/", views.Me.as_view()),
    path("loading/", loading),
    path("personal/", personal),
    path("async-personal/", async_personal),
    path("public/", public),
    path("apublic/", apublic),
    path("sync/", sync_view),
    path("async/", async_view),
    path("scoped/", scoped),
    path("sync-class/", SyncView.as_view()),
    path("async-class/", AsyncView.as_view()),
    path("decorated-class/", DecoratedView.as_view()),
    path("page-class/", PageView.as_view()),
    path("page/", page),
    path("form/", form),
    path("boom/", boom),
    path("busy/", busy),
]
