"""GraphQL by Strawberry, behind the middleware: bad tokens are GraphQL errors with our codes."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client
from django.urls import path
from strawberry.django.views import AsyncGraphQLView, GraphQLView

from drf_tessera import sessions
from drf_tessera.contrib.strawberry import NeedsToken
from drf_tessera.revocation.rulings import Rulings

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class MayRead(NeedsToken):
    scopes = ("notes:read",)


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "hello"

    @strawberry.field(permission_classes=[NeedsToken])
    def me(self, info: strawberry.Info) -> str | None:
        return str(info.context.request.user.pk)

    @strawberry.field(permission_classes=[MayRead])
    def notes(self) -> str | None:
        return "notes"


@strawberry.type
class AsyncQuery(Query):
    @strawberry.field(permission_classes=[NeedsToken])
    async def name(self, info: strawberry.Info) -> str | None:
        return (await info.context.request.auser()).get_username()


urlpatterns = [
    path("sync/", GraphQLView.as_view(schema=strawberry.Schema(Query))),
    path("async/", AsyncGraphQLView.as_view(schema=strawberry.Schema(AsyncQuery))),
]


@pytest.fixture(autouse=True)
def _behind(settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_tessera.plain.TokenMiddleware"]


def ask(kind: str, query: str, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    post: Any = async_to_sync(AsyncClient().post) if kind == "async" else Client().post
    answer = post(f"/{kind}/", {"query": query}, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_field_needs_a_token_and_another_does_not(
    kind: str, anna: AbstractBaseUser, refused_tokens: list[dict[str, Any]]
) -> None:
    grant = sessions.start(anna, scope="notes:read")
    good = ask(kind, "{ hello me notes }", grant.access)
    assert good == {"data": {"hello": "hello", "me": str(anna.pk), "notes": "notes"}}
    for token, code in [("", "not_authenticated"), ("nonsense", "token_malformed")]:
        bad = ask(kind, "{ hello me }", token)
        assert bad["data"] == {"hello": "hello", "me": None}
        assert bad["errors"][0]["extensions"]["code"] == code
    sessions.revoke(grant.session_id)
    assert ask(kind, "{ me }", grant.access)["errors"][0]["extensions"]["code"] == "session_ended"
    assert [told["code"] for told in refused_tokens] == ["token_malformed", "session_ended"]
    narrow = ask(kind, "{ notes }", sessions.start(anna).access)
    assert narrow["errors"][0]["extensions"]["code"] == "insufficient_scope"


def test_a_coroutine_loads_the_user(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    access = sessions.start(anna).access
    assert ask("async", "{ name }", access) == {"data": {"name": anna.get_username()}}
    monkeypatch.setattr(Rulings, "has_ended", lambda *given: False)
    type(anna)._base_manager.filter(pk=anna.pk).delete()
    gone = ask("async", "{ name }", access)
    assert gone["errors"][0]["extensions"]["code"] == "user_gone"
