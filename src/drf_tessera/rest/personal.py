"""The endpoints for personal access tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import ScopeUnavailable, SessionNotFound
from drf_tessera.rest import answers as told
from drf_tessera.rest.answers import Answer
from drf_tessera.rest.endpoints import BodyView
from drf_tessera.rest.requests import find_client
from drf_tessera.rest.serializers import PersonalTokenSerializer, SessionSerializer
from drf_tessera.rest.views import SessionDetailView, SessionView, find_session_id


class PersonalTokensView(SessionView, BodyView):
    """The personal access tokens of the caller, who has logged in.

    The scopes of a token are scopes of ``PERSONAL_TOKEN_SCOPES``. If the caller's own session has scopes, a
    token has no more than these.
    """

    serializer_class: type[Serializer[Any]] = PersonalTokenSerializer
    answers: Mapping[str, Answer] = {"get": told.LIST_PERSONAL, "post": told.CREATE_PERSONAL}

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the live tokens, the latest first."""
        found = sessions.live_sessions(self.owner.pk).filter(personal=True)
        return Response(SessionSerializer(found, many=True, context=self._describe()).data)

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a token, and show it once."""
        wanted = self.read_body()
        scopes = list(dict.fromkeys(wanted["scope"].split()))
        self._check_scopes(scopes)
        longest = get_settings().personal_token_lifetime
        credentials = sessions.issue_personal_token(
            self.owner,
            name=wanted["name"],
            scope=" ".join(scopes),
            lifetime=min(timedelta(days=wanted["days"]), longest),
            client=find_client(request),
        )
        shown = SessionSerializer(credentials.session, context=self._describe()).data
        return Response({"token": credentials.text, "session": shown}, status=status.HTTP_201_CREATED)

    def _describe(self) -> dict[str, Any]:
        return {"current": self.current, "request": self.request, "view": self}

    def _check_scopes(self, scopes: list[str]) -> None:
        """Return if a token may have these scopes.

        Raises:
            ScopeUnavailable: the server does not offer a scope, or the caller's own token does not have it.
        """
        own: frozenset[str] = getattr(self.request.auth, "scopes", frozenset())
        offered = tuple(scope for scope in get_settings().personal_token_scopes if not own or scope in own)
        if not set(scopes) <= set(offered):
            raise ScopeUnavailable(offered)


class PersonalTokenView(SessionDetailView):
    """One personal access token of the caller."""

    answers: Mapping[str, Answer] = {"delete": told.REVOKE_PERSONAL}

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End the token. Everything that uses the token is refused within ``REVOCATION_POLL``."""
        named = find_session_id(args, kwargs)
        if not sessions.live_sessions(self.owner.pk).filter(pk=named, personal=True).exists():
            raise SessionNotFound
        sessions.revoke(named, owner=self.owner)
        return Response(status=status.HTTP_204_NO_CONTENT)
