"""Tests of the project of docs/howto/graphql.md, run by its own ``manage.py test``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, RequestFactory, TestCase
from graph.resolvers import resolve_me
from graphql import GraphQLError

from drf_tessera import sessions
from drf_tessera.plain import TokenMiddleware


class GraphQL(TestCase):
    def test_the_query_of_the_page(self) -> None:
        anna = User.objects.create_user("anna")
        access = sessions.start(anna).access

        def ask(query: str, token: str) -> dict[str, object]:
            headers = {"authorization": f"Bearer {token}"}
            post = async_to_sync(AsyncClient().post)
            return post(
                "/graphql/", {"query": query}, content_type="application/json", headers=headers
            ).json()

        assert ask("{ version me }", access) == {"data": {"version": "1", "me": "anna"}}
        bad = ask("{ version me }", "nonsense")
        assert bad["data"] == {"version": "1", "me": None}
        assert bad["errors"][0]["extensions"] == {"code": "token_malformed"}
        assert ask("{ notes }", access)["errors"][0]["extensions"] == {"code": "insufficient_scope"}

    def test_the_resolver_of_another_server(self) -> None:
        anna = User.objects.create_user("anna")
        request = RequestFactory().get(
            "/", headers={"authorization": f"Bearer {sessions.start(anna).access}"}
        )
        TokenMiddleware(lambda request: SimpleNamespace(has_header=lambda name: False, headers={}))(request)
        assert resolve_me(None, SimpleNamespace(context=request)) == "anna"
        with pytest.raises(GraphQLError):
            resolve_me(None, SimpleNamespace(context=RequestFactory().get("/")))
