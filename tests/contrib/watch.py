"""Compare each answer of each test with its description in ``drf_tessera.rest.answers``.

The tests send every kind of request under every kind of settings, so an answer that is not described is found
by the test that causes it.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from drf_tessera.exceptions import TesseraError
from drf_tessera.rest.answers import Answer, list_children, list_problems
from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.errors import exception_handler

found: list[str] = []
"""The answers of the running test that are not described."""

_OUR_CODES = {kind.code for kind in list_children(TesseraError)}


def watch() -> None:
    """Check each answer from now on."""
    original = TokenView.finalize_response

    @wraps(original)
    def look(view: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = view.answers.get(str(request.method).lower())
        if answer is not None and not answer.foreign and view.get_exception_handler() is exception_handler:
            found.extend(_judge(view, str(request.method), answer, response))
        return original(view, request, response, *args, **kwargs)

    TokenView.finalize_response = look  # type: ignore[method-assign]


def _judge(view: Any, method: str, answer: Answer, response: Any) -> list[str]:
    place = f"{type(view).__name__}, {method}, {response.status_code}"
    body = getattr(response, "data", None)
    if response.status_code == answer.status:
        cookies = bool(response.cookies) and not answer.cookies
        return [f"{place}: {it}" for it in [*_judge_body(answer, body), *(["cookies"] if cookies else [])]]
    code = body.get("code") if isinstance(body, dict) else None
    described = list_problems(view, method, answer)
    known = _OUR_CODES | {code for codes in described.values() for code in codes}
    # Receivers, backends and serializers of a test may refuse a request with a code of their own.
    if code in known and code not in described.get(response.status_code, {}):
        return [f"{place}: {code}"]
    return []


def _judge_body(answer: Answer, body: Any) -> list[str]:
    if answer.serializer is None:
        return [] if body is None else ["a body"]
    fields = answer.serializer().fields
    needed = {name for name, field in fields.items() if field.required or field.read_only}
    allowed = set(fields)
    if answer.user is not None:
        allowed |= {"user"}
        needed |= {"user"} if answer.user else set()
    rows = body if answer.many else [body]
    return [f"has {sorted(row)}" for row in rows if not needed <= set(row) <= allowed]
