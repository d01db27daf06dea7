"""The ASGI application of the demo: HTTP by Django, the files of the page, and the socket of the chat."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, Final

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.exceptions import SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
django_application = get_asgi_application()  # loads the apps, so it comes before the imports that need them

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from chat.consumers import Chat, refuse_path  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from drf_tessera.contrib.channels import TokenAuthMiddleware  # noqa: E402

LOCAL_TIME: Final = datetime.now().astimezone().tzinfo  # the zone of the machine, because Django changes TZ

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class FreshStaticFilesHandler(ASGIStaticFilesHandler):
    """Serves the page's files with and without DEBUG. Browsers must check for a new file each time.

    Otherwise a browser could use an old script with a new page after a ``git pull``.
    """

    def serve(self, request: HttpRequest) -> HttpResponse:
        """Serve one file, whole, because the files are small.

        Raises:
            Http404: the file does not exist, or the path is not valid (``..``, NUL). Without this error
                Django would answer 500 here, because this handler runs outside of the middleware.
        """
        try:
            found = super().serve(request)
        except (SuspiciousFileOperation, ValueError) as error:
            raise Http404 from error
        response = found
        if isinstance(found, FileResponse):
            response = HttpResponse(found.getvalue(), headers=dict(found.headers))
            found.close()
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Diary:
    """Prints one short line per request and per socket, but no line for what the page itself needs."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and print its answer."""

        async def note(message: Any) -> None:
            await send(message)
            _print_answer(scope, message)

        await self.inner(scope, receive, note)


def _print_answer(scope: Scope, message: Any) -> None:
    kind, address = message["type"], scope.get("path", "")
    if kind == "http.response.start":
        status = message["status"]
        # The page asks for the timeline each second. Below /language/ are the messages of its scripts.
        if status in {200, 304} and address.startswith(("/static/", "/api/timeline/", "/language/")):
            return
        words = scope["method"]
    elif kind in {"websocket.accept", "websocket.close"}:
        status = 101 if kind == "websocket.accept" else message.get("code", 1000)
        words = "SOCKET"
    else:
        return
    # Escape the path, because a client can put control characters for the terminal into it. The query is left
    # out, because it may have a ticket.
    shown = f"{words} {address}".encode("unicode_escape").decode()
    print(f"{datetime.now(LOCAL_TIME):%H:%M:%S}  {status}  {shown}", flush=True)


application = Diary(
    ProtocolTypeRouter(
        {
            "http": FreshStaticFilesHandler(django_application),
            "websocket": URLRouter(
                [
                    path("ws/chat/", TokenAuthMiddleware(Chat.as_asgi())),
                    re_path("", refuse_path),
                ]
            ),
        }
    )
)
