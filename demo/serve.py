"""The server of ``make demo``: bind the port, prepare the data, print the address, serve.

The port comes first. If the port is in use, the demo writes nothing and leaves nothing running. One uvicorn
serves the page, the API and the chat, because sockets need an ASGI server.
"""

from __future__ import annotations

import gettext
import itertools
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"  # override the value of the shell

HOST: Final = "127.0.0.1"  # only this machine, because the page shows the passwords
DEFAULT_PORT: Final = 8000
PATIENCE: Final = 2
"""Seconds for which Ctrl-C waits for answers that are on their way."""
LOCALE: Final = Path(__file__).parent / "locale"
LANGUAGE_NAMES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""The variables of the shell that name its language."""


def _read_languages() -> list[str]:
    """Return the languages of the shell. The name of the catalogue for China is ``zh_Hans``."""
    values = [os.environ.get(name, "") for name in LANGUAGE_NAMES]
    if next(filter(None, values[1:]), "") in {"C", "POSIX"}:
        return []  # like GNU gettext, which ignores LANGUAGE in this locale
    names = [name for name in next(filter(None, values), "").split(":") if name]
    # English has no catalogue. Without this limit, gettext would take the language after it.
    wanted = itertools.takewhile(lambda name: not re.match(r"en(?![a-z])", name), names)
    return [name.replace("zh_CN", "zh_Hans") for name in wanted]


# Python reads the catalogue, because the port comes before Django.
_find: Final = gettext.translation("django", LOCALE, _read_languages(), fallback=True).gettext


def _(message: str) -> str:
    """Return a message in the language of the shell, or in English if the terminal cannot print it."""
    translated = _find(message)
    try:
        translated.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return message
    return translated


def main() -> None:
    """Serve until Ctrl-C."""
    # Set the handlers, because a shell that starts the demo in the background ignores SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with _take_port(_read_port(os.environ.get("PORT", ""))) as listener:
            _serve(listener)
    except KeyboardInterrupt:
        print("\n" + _("Stopped."), flush=True)


def _read_port(text: str) -> int:
    """Return the port in ``PORT``. If ``PORT`` is empty or not set, return the default."""
    if not text.strip():
        return DEFAULT_PORT
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text[:9]) <= 65_535):
        problem = _("PORT must be a number from 1 to 65535, not %(value)s. For example: %(command)s")
        _fail(problem % {"value": repr(text), "command": "PORT=8123 make demo"})
    return int(text)


def _take_port(port: int) -> socket.socket:
    """Bind the port. Connections wait in the port's queue until the server is ready."""
    try:
        return socket.create_server((HOST, port), backlog=128)
    except PermissionError:
        problem = _("Port %(port)s needs special rights. Choose a higher port: %(command)s")
        _fail(problem % {"port": port, "command": "PORT=8123 make demo"})
    except OSError as error:
        problem = _(
            "Port %(port)s cannot be used (%(error)s). Perhaps another program uses it. Choose another port: "
            "%(command)s"
        )
        command = "PORT=8123 make demo" if port != 8123 else "PORT=8124 make demo"
        _fail(problem % {"port": port, "error": error.strerror or error, "command": command})


def _serve(listener: socket.socket) -> None:
    """Prepare the data, and serve until a signal comes. The imports are slow, so they come after the port."""
    import uvicorn  # noqa: PLC0415
    from demo.asgi import application  # noqa: PLC0415 - it loads Django

    _prepare()
    _print_banner(listener.getsockname()[1])
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,  # the settings of the demo have a logger for uvicorn
        access_log=False,  # demo/asgi.py prints shorter lines
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=PATIENCE,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _prepare() -> None:
    """Create missing tables and people. Existing data stays unchanged."""
    # Models and commands can be used only after demo.asgi has loaded the apps.
    from demo.people import create_missing_people  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    create_missing_people()


def _print_banner(port: int) -> None:
    from demo.people import ADMIN, PEOPLE  # noqa: PLC0415 - as above

    address = f"http://{HOST}:{port}/"
    print("\n" + _("The drf-tessera demo is at  %(address)s") % {"address": address} + "\n")
    print(f"  {_('user name'):<11}{_('or e-mail'):<21}{_('password')}")
    for person in (*PEOPLE, ADMIN):
        where = "   " + _("(for %(address)s)") % {"address": f"{address}admin/"} if person.staff else ""
        print(f"  {person.username:<11}{person.email:<21}{person.password}{where}")
    ends = _("The data is in demo/data/. To start again, delete this folder. Ctrl-C stops the demo.")
    print(f"\n{ends}\n", flush=True)


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
