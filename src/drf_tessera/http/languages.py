"""The language of an answer."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils.translation import pgettext


def set_language(response: HttpResponseBase) -> None:
    """Set ``Content-Language`` to the language that the messages of this package have in this answer.

    That is not always the language of the request. If a language has no catalogue, Django falls back to
    ``LANGUAGE_CODE``, and then to English. Each catalogue holds its own code, which is looked up as every
    message is, so the code always belongs to the text. ``LocaleMiddleware`` keeps a header that is there.
    """
    # Translators: the code of the language of this catalogue, as in HTML and HTTP, for example pt-BR.
    response.headers["Content-Language"] = pgettext("the code of this language", "en")
