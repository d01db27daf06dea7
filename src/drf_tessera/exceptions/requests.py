"""Requests that cannot be understood (HTTP 400), and those that another site may have made (HTTP 403)."""

from __future__ import annotations

from typing import ClassVar

from drf_tessera.exceptions.root import TesseraError
from drf_tessera.exceptions.root import gettext_noop as _


class RequestError(TesseraError):
    """The endpoint cannot understand the request (HTTP 400)."""

    code = "invalid_request"
    default_detail: ClassVar[str] = _("The request is not valid.")


class EmailLoginUnavailable(RequestError):
    """The body has an ``email``, but no authentication backend of the project accepts an ``email``."""

    code = "email_login_unavailable"
    default_detail: ClassVar[str] = _(
        "This server does not support login by e-mail. (For the developer: login by e-mail needs an e-mail "
        "field on the user model, and drf_tessera.backends.EmailBackend in AUTHENTICATION_BACKENDS.)"
    )


class TokenMissing(RequestError):
    """The request has neither an access token in the header nor a refresh token in the body."""

    code = "token_missing"
    default_detail: ClassVar[str] = _(
        "Send the refresh token in the body, or the access token in the Authorization header."
    )


class PersonalTokensFull(RequestError):
    """The user has as many personal access tokens as a user may have."""

    code = "personal_tokens_full"
    default_detail: ClassVar[str] = _(
        "There are too many personal access tokens. End one that is not needed."
    )


class ScopeUnavailable(RequestError):
    """A personal access token cannot have this scope: the server or the caller's own token lacks it."""

    code = "scope_unavailable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        if not offered:
            super().__init__(_("A token cannot have scopes here."))
            return
        super().__init__(_("A token can have these scopes: %(scopes)s."), {"scopes": " ".join(offered)})


class TransportUnavailable(RequestError):
    """The client asked for a transport of refresh tokens that ``PROFILE`` does not allow."""

    code = "transport_unavailable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        super().__init__(
            _("This server sends refresh tokens only by these transports: %(transports)s."),
            {"transports": ", ".join(map(repr, offered))},
        )


class ScopeMissing(TesseraError):
    """The token does not have the scopes that the request needs (HTTP 403, RFC 6750, section 3.1)."""

    code = "insufficient_scope"
    default_detail: ClassVar[str] = _(
        "The access token does not have the permissions that this request needs."
    )

    def __init__(self, scopes: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.scopes = scopes
        """The scopes that the challenge names."""


class Impersonated(TesseraError):
    """Somebody acts as the user of the token, and only the user may do this (HTTP 403)."""

    code = "impersonated"
    default_detail: ClassVar[str] = _("Only the person themselves can do this.")


class SessionNotFound(TesseraError):
    """The caller has no such session (HTTP 404). The answer is the same if another user has the session."""

    code = "session_not_found"
    default_detail: ClassVar[str] = _("You have no such session.")


class ClientInvalid(TesseraError):
    """The program that asks about a token has not proved who it is (HTTP 401)."""

    code = "invalid_client"
    default_detail: ClassVar[str] = _("The name or the secret of this client is wrong.")


class SessionMissing(TesseraError):
    """The token of another issuer has no session here, so there is nothing to list or to end (HTTP 403)."""

    code = "session_missing"
    default_detail: ClassVar[str] = _(
        "This token comes from another issuer, and has no session here. Log out at that issuer."
    )


# -- Requests that another site may have made (HTTP 403) -------------------------------------------


class CsrfFailed(TesseraError):
    """A cookie would authenticate this request, but nothing proves that the site itself sent the request."""

    code = "csrf_failed"
    default_detail: ClassVar[str] = _("The request does not seem to come from this site.")


class OriginRefused(CsrfFailed):
    """``Origin`` is neither the server's own origin nor an entry of ``CSRF_TRUSTED_ORIGINS``."""

    code = "csrf_origin"

    def __init__(self, *, same_host: bool) -> None:
        if same_host:
            super().__init__(
                _(
                    "The header Origin names another origin. A request with cookies must come from the "
                    "origin of this server or from an origin in CSRF_TRUSTED_ORIGINS. (For the developer: a "
                    "server behind a proxy may need SECURE_PROXY_SSL_HEADER.)"
                )
            )
        else:
            super().__init__(
                _(
                    "The header Origin names another origin. A request with cookies must come from the "
                    "origin of this server or from an origin in CSRF_TRUSTED_ORIGINS."
                )
            )


class FetchSiteRefused(CsrfFailed):
    """``Sec-Fetch-Site`` shows that another site sent the request."""

    code = "csrf_fetch_site"

    def __init__(self, site: str) -> None:
        known = site in {"cross-site", "same-site"}
        super().__init__(
            _(
                "The header Sec-Fetch-Site says that the request is %(site)s. A request with cookies must be "
                "same-origin, or must have an Origin that is in CSRF_TRUSTED_ORIGINS."
            )
            if known
            else _(
                "The header Sec-Fetch-Site has an unknown value. A request with cookies must be "
                "same-origin, or must have an Origin that is in CSRF_TRUSTED_ORIGINS."
            ),
            {"site": site} if known else None,
        )


class CsrfTokenRefused(CsrfFailed):
    """The request has no ``Origin`` and no ``Sec-Fetch-Site``, and its CSRF token is missing or wrong."""

    code = "csrf_token"

    def __init__(self, reason: str) -> None:
        super().__init__(
            _(
                "A request with cookies, but without Origin and Sec-Fetch-Site, needs Django's CSRF token. "
                "%(reason)s."
            ),
            {"reason": reason.partition(" - ")[0].rstrip(".")},
        )


class CookieAmbiguous(CsrfFailed):
    """Several cookies have the expected name. Perhaps another host of the domain planted one of them."""

    code = "cookie_ambiguous"

    def __init__(self, name: str) -> None:
        super().__init__(
            _(
                "There are several cookies named %(name)s with different values. Delete the cookies of this "
                "site."
            ),
            {"name": repr(name)},
        )
