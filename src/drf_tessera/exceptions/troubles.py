"""Limits (HTTP 429), and temporary problems of the server (HTTP 503)."""

from __future__ import annotations

from gettext import NullTranslations
from typing import Any, ClassVar

from drf_tessera.exceptions.root import TesseraError
from drf_tessera.exceptions.root import gettext_noop as _

# -- Limits (HTTP 429) -----------------------------------------------------------------------------


class TooManyAttempts(TesseraError):
    """A limit is reached.

    ``retry_after`` is the number of seconds until the next attempt is allowed.
    """

    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(_say_when(retry_after, NullTranslations()))

    @property
    def detail(self) -> str:
        """The text for a person, with the plural of the language that is active now."""
        return _say_when(self.retry_after, self.translations)


def _say_when(seconds: int, translations: Any) -> str:
    text = translations.ngettext(
        "There were too many attempts; try again in %(seconds)d second.",
        "There were too many attempts; try again in %(seconds)d seconds.",
        seconds,
    )
    return str(text) % {"seconds": seconds}


# -- Temporary problems of the server (HTTP 503) ---------------------------------------------------


class TemporarilyUnavailable(TesseraError):
    """The request is correct, but the server has a temporary problem. The client may repeat the request."""

    code = "temporarily_unavailable"
    default_detail: ClassVar[str] = _("The server could not do this at the moment; try again.")


class DatabaseUnavailable(TemporarilyUnavailable):
    """The database cannot be used: it is away, read-only or full, or it has no connection to spare.

    Nothing was spent. A refresh token is still good, and a login is not counted as an attempt.
    """

    code = "database_unavailable"
    default_detail: ClassVar[str] = _("The server cannot use its database at the moment; try again.")


class LoginBusy(TemporarilyUnavailable):
    """Too many passwords are being checked at the same time. The password of this login was not checked."""

    code = "login_busy"
    default_detail: ClassVar[str] = _("The server is busy with other logins; try again.")


class RefreshContended(TemporarilyUnavailable):
    """Too many writers changed this session at the same time. No token was lost."""

    code = "refresh_contended"
    default_detail: ClassVar[str] = _("Other requests are refreshing this session; try again.")


class RevocationUnavailable(TemporarilyUnavailable):
    """The list of ended sessions could not be read for too long, or could not be written.

    The server refuses everybody, because the server cannot know which sessions have ended.
    """

    code = "revocation_unavailable"
    default_detail: ClassVar[str] = _(
        "The server cannot read or write the list of ended sessions at the moment; try again."
    )


class KeysUnavailable(TemporarilyUnavailable):
    """The signing keys of this server cannot be read or used. No token can be issued at the moment."""

    code = "keys_unavailable"
    default_detail: ClassVar[str] = _("The server cannot use its signing keys at the moment; try again.")


class IssuerUnavailable(TemporarilyUnavailable):
    """The keys of another issuer are not known, and the issuer does not answer."""

    code = "issuer_unavailable"
    default_detail: ClassVar[str] = _(
        "The server cannot read the keys of the issuer at the moment; try again."
    )

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = retry_after
        """Seconds until the issuer is asked again."""
