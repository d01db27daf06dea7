"""A client of each peer: it logs in, asks, refreshes and logs out by the peer's own endpoints."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlencode

from django.contrib.auth import get_user_model

from benchmarks.inside import application, database
from benchmarks.project.scheme import read_scheme


class Client:
    """Somebody with the tokens of one login."""

    refreshes: ClassVar[bool] = True
    """Whether the peer has refresh tokens."""
    word: ClassVar[str] = "Bearer"
    access: str = ""
    refresh: str = ""

    def __init__(self, number: int) -> None:
        self.user = get_user_model().objects.order_by("pk")[number]
        self.name: str = self.user.get_username()

    def fork(self) -> Self:
        """Return another holder of the same tokens: a second tab, or a thief."""
        return copy.copy(self)

    def log_in(self) -> None:
        """Log in, and keep the tokens."""
        raise NotImplementedError

    def renew(self) -> bool:
        """Refresh, keep what is new, and return whether the refresh was accepted."""
        raise NotImplementedError

    def log_out(self) -> None:
        """Log out."""
        raise NotImplementedError

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request, by their WSGI names."""
        return {"HTTP_AUTHORIZATION": f"{self.word} {self.access}"}

    @property
    def works(self) -> bool:
        """Return whether the protected view accepts this client."""
        return ask(self.headers) == 200

    def list_secrets(self) -> dict[str, str]:
        """Return everything that the login gave out and that lets its holder in, by name."""
        found = {"access": self.access, "refresh": self.refresh}
        return {name: text for name, text in found.items() if text}

    def _keep(self, body: dict[str, Any]) -> None:
        self.access = body["access"]
        self.refresh = body.get("refresh") or self.refresh


class Tessera(Client):
    """``drf_tessera.rest.urls``."""

    def log_in(self) -> None:
        """Log in."""
        self._keep(demand("POST", "/api/token/", {"username": self.name, "password": database.PASSWORD}))

    def renew(self) -> bool:
        """Refresh. Within the grace window the answer has an access token only."""
        status, body = send("POST", "/api/token/refresh/", {"refresh": self.refresh})
        if status == 200:
            self._keep(body)
        return status == 200

    def log_out(self) -> None:
        """Log out."""
        demand("POST", "/api/token/revoke/", {"refresh": self.refresh})


class SimpleJWT(Tessera):
    """simplejwt has the same paths, but for the logout."""

    def log_out(self) -> None:
        """Put the refresh token on the blacklist, which is the logout that simplejwt documents."""
        demand("POST", "/api/token/blacklist/", {"refresh": self.refresh})


class RestFrameworkToken(Client):
    """``obtain_auth_token``; there is no view for a logout, so the row is deleted."""

    refreshes = False
    word = "Token"

    def log_in(self) -> None:
        """Log in."""
        body = demand("POST", "/api/token/", {"username": self.name, "password": database.PASSWORD})
        self.access = body["token"]

    def log_out(self) -> None:
        """Delete the row."""
        from rest_framework.authtoken.models import Token

        Token.objects.get(user=self.user).delete()


class Knox(Client):
    """knox's views, with basic authentication for the login, as its documentation says."""

    refreshes = False
    word = "Token"

    def log_in(self) -> None:
        """Log in."""
        pair = base64.b64encode(f"{self.name}:{database.PASSWORD}".encode()).decode()
        self.access = demand("POST", "/knox/login/", {}, {"HTTP_AUTHORIZATION": f"Basic {pair}"})["token"]

    def log_out(self) -> None:
        """Log out."""
        demand("POST", "/knox/logout/", {}, self.headers)


class DjRestAuth(Client):
    """dj-rest-auth with both tokens in cookies."""

    def log_in(self) -> None:
        """Log in."""
        self._take(demand("POST", "/auth/login/", {"username": self.name, "password": database.PASSWORD}))

    def renew(self) -> bool:
        """Refresh by the cookie."""
        status, body = send("POST", "/auth/token/refresh/", {}, {"HTTP_COOKIE": f"refresh={self.refresh}"})
        if status == 200:
            self._take(body)
        return status == 200

    def log_out(self) -> None:
        """Log out. The access token is in a header, which no CSRF check asks about."""
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.access}", "HTTP_COOKIE": f"refresh={self.refresh}"}
        demand("POST", "/auth/logout/", {}, headers)

    @property
    def headers(self) -> dict[str, str]:
        """The cookie of the access token."""
        return {"HTTP_COOKIE": f"access={self.access}"}

    def _take(self, body: dict[str, Any]) -> None:
        cookies = body["cookies"]
        self.access = cookies["access"]
        self.refresh = cookies.get("refresh", self.refresh)


class Allauth(Client):
    """allauth's headless API for apps, with its JWT strategy."""

    session = ""

    def log_in(self) -> None:
        """Log in."""
        # allauth names these as attributes, and leaves it to others to have imported them.
        import cryptography.hazmat.primitives.ciphers.algorithms
        import cryptography.hazmat.primitives.serialization  # noqa: F401

        body = demand(
            "POST", "/_allauth/app/v1/auth/login", {"username": self.name, "password": database.PASSWORD}
        )
        self._take(body["meta"])

    def renew(self) -> bool:
        """Refresh."""
        status, body = send("POST", "/_allauth/app/v1/tokens/refresh", {"refresh_token": self.refresh})
        if status == 200:
            self._take(body["data"])
        return status == 200

    def log_out(self) -> None:
        """Log out. The answer to a logout is 401 in allauth: nobody is logged in."""
        demand("DELETE", "/_allauth/app/v1/auth/session", {}, self.headers, expect=401)

    def list_secrets(self) -> dict[str, str]:
        """Return the tokens, and the session token if there is one."""
        return super().list_secrets() | ({"session": self.session} if self.session else {})

    def _take(self, meta: dict[str, Any]) -> None:
        self.access = meta["access_token"]
        self.refresh = meta.get("refresh_token") or self.refresh
        self.session = meta.get("session_token") or self.session


class OAuthToolkit(Client):
    """django-oauth-toolkit by the password grant, the one that needs no browser."""

    def log_in(self) -> None:
        """Log in."""
        self._take(
            demand(
                "POST",
                "/o/token/",
                {"grant_type": "password", "username": self.name, "password": database.PASSWORD},
                _read_application(),
                form=True,
            )
        )

    def renew(self) -> bool:
        """Refresh."""
        status, body = send(
            "POST",
            "/o/token/",
            {"grant_type": "refresh_token", "refresh_token": self.refresh},
            _read_application(),
            form=True,
        )
        if status == 200:
            self._take(body)
        return status == 200

    def log_out(self) -> None:
        """Revoke the refresh token."""
        demand("POST", "/o/revoke_token/", {"token": self.refresh}, _read_application(), form=True)

    def _take(self, body: dict[str, Any]) -> None:
        self.access = body["access_token"]
        self.refresh = body["refresh_token"]


CLIENTS: Final[dict[str, type[Client]]] = {
    "tessera": Tessera,
    "simplejwt-blacklist": SimpleJWT,
    "drf-token": RestFrameworkToken,
    "knox": Knox,
    "dj-rest-auth": DjRestAuth,
    "allauth": Allauth,
    "oauth-toolkit": OAuthToolkit,
}


def connect(number: int) -> Client:
    """Log the user with this number in, as a client of the peer that is measured."""
    client = CLIENTS[read_scheme()](number)
    client.log_in()
    return client


def ask(headers: dict[str, str], path: str = "/ping/") -> int:
    """Return the status of a protected view."""
    status, _, _ = application.call(application.prepare_get(path, headers))
    return int(status[:3])


def send(
    method: str,
    path: str,
    body: dict[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    form: bool = False,
) -> tuple[int, dict[str, Any]]:
    """Send a request; return the status, and the body with the cookies of the answer."""
    environ = application.prepare_post(path, body, **(headers or {}))
    environ["REQUEST_METHOD"] = method
    if form:
        raw = urlencode(body).encode()
        environ |= {
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.input": io.BytesIO(raw),
        }
    status, sent, answer = application.call(environ)
    jar = SimpleCookie()
    for name, value in sent:
        if name.lower() == "set-cookie":
            jar.load(value)
    try:
        found = json.loads(answer or b"{}")
    except ValueError:
        found = {}
    return int(status[:3]), {**(found or {}), "cookies": {name: item.value for name, item in jar.items()}}


def demand(
    method: str,
    path: str,
    body: dict[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    expect: int = 0,
    form: bool = False,
) -> dict[str, Any]:
    """Send a request that must succeed, and return its body.

    Raises:
        WrongAnswerError: another status than the one expected, or than 2xx.
    """
    status, found = send(method, path, body, headers, form=form)
    if status != expect if expect else not 200 <= status < 300:
        raise application.WrongAnswerError(f"{path} answered {status}: {found}")
    return found


def _read_application() -> dict[str, str]:
    """Return the header of the OAuth application, which is made at the first call."""
    from oauth2_provider.models import (  # type: ignore[import-not-found]  # in its environment alone
        get_application_model,
    )

    model = get_application_model()
    application, _ = model.objects.get_or_create(
        name="comparison",
        defaults={
            "client_id": "comparison",
            "client_secret": _SECRET,
            "client_type": model.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": model.GRANT_PASSWORD,
        },
    )
    pair = base64.b64encode(f"{application.client_id}:{_SECRET}".encode()).decode()
    return {"HTTP_AUTHORIZATION": f"Basic {pair}"}


_SECRET: Final = "the secret of an application that exists while it is measured"
