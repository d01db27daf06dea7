"""What ``make demo`` runs: take the port, prepare the data, print the address, serve.

The port comes first: if it is taken, nothing has been written and nothing is left running.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import Any, Final, NoReturn

os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"  # this demo's, whatever the shell has set

import django
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse

HOST: Final = "127.0.0.1"  # this machine alone: the passwords are printed on the page
DEFAULT_PORT: Final = 8000
LOCAL_TIME: Final = datetime.now().astimezone().tzinfo  # read here: Django's settings set another one


class QuietRequestHandler(WSGIRequestHandler):
    """Writes one short line a request, and none for what the page needs for itself."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write time, status, method and path."""
        path = getattr(self, "path", "")
        quiet = path.startswith(("/static/", "/api/timeline/"))  # the page asks once a second
        if quiet and code in {200, 304, "200", "304"}:
            return
        # Escaped: a path is a stranger's text, and terminals obey control characters.
        shown = f"{self.command or '?'} {path}".encode("unicode_escape").decode()
        status = code.value if hasattr(code, "value") else code
        print(f"{datetime.now(LOCAL_TIME):%H:%M:%S}  {status}  {shown}", flush=True)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing more: the line of the request has the status."""


class FreshStaticFilesHandler(StaticFilesHandler):
    """Serves the page's files, DEBUG or not, and has browsers ask for them again each time.

    After a ``git pull`` nobody shall see yesterday's script with today's page.
    """

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        """Serve one file.

        Raises:
            Http404: no such file, or a path that is none (``..``, NUL), which Django itself would
                answer with 500 here, outside of its middleware.
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
    # Set and not inherited: a shell that starts this in the background has SIGINT ignored.
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
    """Read ``PORT``; empty or unset means the default."""
    if not text.strip():
        return DEFAULT_PORT
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text[:9]) <= 65_535):
        _fail(f"PORT must be a number from 1 to 65535, not {text!r}. Like this: PORT=8123 make demo")
    return int(text)


def _take_port(port: int) -> ThreadedWSGIServer:
    """Bind the port; connections wait in its queue until the server is ready for them."""
    try:
        return ThreadedWSGIServer((HOST, port), QuietRequestHandler)
    except PermissionError:
        _fail(f"Port {port} needs special rights here. Choose a higher one: PORT=8123 make demo")
    except OSError as error:
        other = 8123 if port != 8123 else 8124
        _fail(
            f"Port {port} cannot be had ({error.strerror or error}): is something else running there? "
            f"Choose another one: PORT={other} make demo"
        )


def _prepare() -> None:
    """Make the tables and the people that are missing; keep all that is there."""
    django.setup()
    call_command("migrate", verbosity=0)
    # Models can be imported only now that Django is set up.
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
        "\nIts data is in demo/data/; delete that folder to start afresh. Ctrl-C stops the demo.\n",
        flush=True,
    )


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
