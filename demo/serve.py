"""The server of ``make demo``: bind the port, prepare the data, print the address, serve.

The port comes first. If the port is in use, the demo writes nothing and leaves nothing running.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import Any, Final, NoReturn

os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"  # override the value of the shell

import django
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse

HOST: Final = "127.0.0.1"  # only this machine, because the page shows the passwords
DEFAULT_PORT: Final = 8000
LOCAL_TIME: Final = datetime.now().astimezone().tzinfo  # read now, because Django changes the time zone


class QuietRequestHandler(WSGIRequestHandler):
    """Prints one short line per request, but no line for the requests that the page itself needs."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print time, status, method and path."""
        path = getattr(self, "path", "")
        quiet = path.startswith(("/static/", "/api/timeline/"))  # the page asks for the timeline each second
        if quiet and code in {200, 304, "200", "304"}:
            return
        # Escape the path, because a client can put control characters for the terminal into it.
        shown = f"{self.command or '?'} {path}".encode("unicode_escape").decode()
        status = code.value if hasattr(code, "value") else code
        print(f"{datetime.now(LOCAL_TIME):%H:%M:%S}  {status}  {shown}", flush=True)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing, because the line of the request already has the status."""


class FreshStaticFilesHandler(StaticFilesHandler):
    """Serves the page's files with and without DEBUG. Browsers must check for a new file each time.

    Otherwise a browser could use an old script with a new page after a ``git pull``.
    """

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        """Serve one file.

        Raises:
            Http404: the file does not exist, or the path is not valid (``..``, NUL). Without this error
                Django would answer 500 here, because this handler runs outside of the middleware.
        """
        try:
            response = super().serve(request)
        except (SuspiciousFileOperation, ValueError) as error:
            raise Http404 from error
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def main() -> None:
    """Serve until Ctrl-C."""
    # Set the handlers, because a shell that starts the demo in the background ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        server = _take_port(_read_port(os.environ.get("PORT", "")))
        with server:
            _prepare()
            server.set_app(FreshStaticFilesHandler(WSGIHandler()))
            _print_banner(server.server_port)
            server.serve_forever()
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)


def _read_port(text: str) -> int:
    """Return the port in ``PORT``. If ``PORT`` is empty or not set, return the default."""
    if not text.strip():
        return DEFAULT_PORT
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text[:9]) <= 65_535):
        _fail(f"PORT must be a number from 1 to 65535, not {text!r}. For example: PORT=8123 make demo")
    return int(text)


def _take_port(port: int) -> ThreadedWSGIServer:
    """Bind the port. Connections wait in the port's queue until the server is ready."""
    try:
        return ThreadedWSGIServer((HOST, port), QuietRequestHandler)
    except PermissionError:
        _fail(f"Port {port} needs special rights. Choose a higher port: PORT=8123 make demo")
    except OSError as error:
        other = 8123 if port != 8123 else 8124
        _fail(
            f"Port {port} cannot be used ({error.strerror or error}). Perhaps another program uses it. "
            f"Choose another port: PORT={other} make demo"
        )


def _prepare() -> None:
    """Create missing tables and people. Existing data stays unchanged."""
    django.setup()
    call_command("migrate", verbosity=0)
    # Models can be imported only after django.setup().
    from demo.people import create_missing_people  # noqa: PLC0415

    create_missing_people()


def _print_banner(port: int) -> None:
    from demo.people import ADMIN, PEOPLE  # noqa: PLC0415 - as above

    address = f"http://{HOST}:{port}/"
    print(f"\nThe drf-tessera demo is at  {address}\n")
    print(f"  {'user name':<11}{'or e-mail':<21}password")
    for person in (*PEOPLE, ADMIN):
        where = f"   (for {address}admin/)" if person.staff else ""
        print(f"  {person.username:<11}{person.email:<21}{person.password}{where}")
    print(
        "\nThe data is in demo/data/. To start again, delete this folder. Ctrl-C stops the demo.\n",
        flush=True,
    )


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
