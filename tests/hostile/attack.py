"""Attack real gunicorn workers with hostile requests, while real clients work beside the attack.

``make hostile`` runs this module. It prints the cost of each request (the CPU time of the workers, and the
longest time that a client beside it has waited) and the answer. It fails if a request costs more than ten
honest logins that are refused, or if an answer is a 500. It also fails if the owner of an account under
attack is locked out where the owner has logged in before.

The cost is CPU time of the workers and not time of the clock, and it is compared with the cost of a refused
login in the same run. So a busy machine changes no result. The CPU time comes from ``/proc``, so this needs
Linux.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

SETTINGS: Final = "tests.hostile.server_settings"
PASSWORD: Final = "correct horse battery staple"
MOST_LOGINS: Final = 10
"""The most that a hostile request may cost, in honest logins that are refused."""
WORKERS: Final = 2
HOME: Final = "192.0.2.10"
"""The address from which the owner has logged in before the attack."""
CAFE: Final = "192.0.2.99"
BURST: Final = 40
MOST_GUESSES: Final = 10
"""The most guesses at one account from one network that the server allows."""
BOTNET: Final = 25
"""Guesses at one account, each from another network. The server allows 15 in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One hostile request."""

    name: str
    path: str
    body: bytes = b""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One request, its answer and its cost."""

    sent: Sent
    status: int
    cpu: float
    """Seconds of CPU of all workers."""
    waited: float
    """The longest time in seconds that an honest client beside the request has waited."""


# -- The requests ----------------------------------------------------------------------------------


def list_requests() -> list[Sent]:
    """Return about a hundred hostile requests. No two of one kind are neighbours."""
    from tests.hostile.surface import HEADERS, VALUES

    logins = ("/api/token/", "/simplejwt/api/token/", "/jwt/auth/")
    tokens = {
        "/api/token/refresh/": "refresh",
        "/api/token/verify/": "token",
        "/api/token/revoke/": "refresh",
        "/simplejwt/api/token/refresh/": "refresh",
        "/simplejwt/api/token/verify/": "token",
        "/jwt/verify/": "token",
    }
    found: list[Sent] = []
    for index, (what, value) in enumerate(VALUES.items()):
        path = logins[index % len(logins)]
        found.append(_write_body(f"name: {what}", path, f'{{"username": {value}, "password": "x"}}'))
        path = logins[(index + 1) % len(logins)]
        found.append(
            _write_body(f"password: {what}", path, f'{{"username": "bob{index}", "password": {value}}}')
        )
        path, name = list(tokens.items())[index % len(tokens)]
        found.append(_write_body(f"token: {what}", path, f'{{"{name}": {value}}}'))
    for index, (what, value) in enumerate(HEADERS.items()):
        name = ("Authorization", "Cookie", "Origin", "User-Agent")[index % 4]
        headers = {name: "".join(char for char in value if char.isprintable() and char < "\x7f")}
        found.append(_write_body(f"{name}: {what}", "/api/token/refresh/", '{"refresh": "tsr_x"}', **headers))
    return [*found, *_list_bodies()]


def _list_bodies() -> Iterator[Sent]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    parts = {"Content-Type": "multipart/form-data; boundary=x"}
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    yield _write_body("a body of brackets", "/api/token/", "[" * 65_000)
    yield _write_body("a body of braces", "/api/token/", '{"a":' * 13_000)
    yield _write_body("a body of digits", "/api/token/", "9" * 65_000)
    yield _write_body("a form of 16,000 fields", "/api/token/", "a&" * 16_000, **form)
    yield _write_body(
        "a form of escapes", "/api/token/", "username=" + "%CC%96" * 10_000 + "&password=x", **form
    )
    yield _write_body("a form of a thousand parts", "/api/token/", part * 1000 + "--x--\r\n", **parts)
    yield _write_body("a form without an end", "/api/token/", part + "-" * 60_000, **parts)
    yield _write_body("a body that is too large", "/api/token/", " " * 66_000)
    utf7: Any = {"Content-Type": "application/json; charset=utf-7"}
    yield _write_body("another charset", "/api/token/", "{}", **utf7)
    yield Sent(name="a long path", path="/api/token/sessions/" + "x" * 3000 + "/", method="DELETE")
    yield Sent(name="a long query", path="/api/token/?" + "a=%ff&" * 500)
    yield Sent(name="a strange method", path="/api/token/", method="BREW")


def _write_body(name: str, path: str, text: str, **headers: str) -> Sent:
    kind = {"Content-Type": "application/json", **headers}
    return Sent(name=name, path=path, body=text.encode("utf-8", "surrogatepass"), headers=kind)


# -- The server ------------------------------------------------------------------------------------


@contextmanager
def run_server(folder: Path, workers: int) -> Iterator[str]:
    """Serve the endpoints with the user "anna", and yield the address."""
    from tests.servers import Redis, serve

    redis = Redis(folder)
    redis.start()
    database = folder / "hostile.sqlite3"
    environment = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "TESSERA_SERVER_REDIS": redis.url,
        "TESSERA_SERVER_DB_NAME": str(database),
    }
    script = (
        "import django; django.setup();"
        "from django.core.management import call_command; call_command('migrate', verbosity=0);"
        "from django.contrib.auth import get_user_model as g;"
        f"g()._default_manager.create_user('anna', 'anna@example.com', {PASSWORD!r})"
    )
    root = Path(__file__).parent.parent.parent
    whole = {**os.environ, **environment, "PYTHONPATH": str(root)}
    try:
        subprocess.run([sys.executable, "-c", script], env=whole, cwd=root, check=True)
        with serve(folder, workers=workers, **environment) as address:
            yield address
    finally:
        redis.stop()


def find_workers(parent: int) -> list[int]:
    """Return the processes that a process of this one has started, and their children."""
    found, children = [], [parent]
    parents = {int(path.name): _read_stat(int(path.name))[1] for path in Path("/proc").glob("[0-9]*")}
    while children:
        children = [pid for pid, above in parents.items() if above in children]
        found += children
    return found


def _read_stat(pid: int) -> tuple[float, int]:
    """Return the seconds of CPU of a process and the id of its parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # the process has ended
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[1])


class Server:
    """The attacked server: sends requests to it, and reads the CPU time of its workers."""

    def __init__(self, address: str, workers: int) -> None:
        from tests.servers import wait_until

        self.place = urlsplit(address).netloc
        # The main process of gunicorn opens the port before it starts the workers. Redis is a child of this
        # process too, and its work is a part of the cost.
        wait_until(lambda: len(find_workers(os.getpid())) >= workers + 2, "the workers do not start")
        self._workers = find_workers(os.getpid())

    def read_cpu(self) -> float:
        """Return the seconds of CPU that the workers have used until now."""
        return sum(_read_stat(pid)[0] for pid in self._workers)

    def send(self, sent: Sent, address: str) -> int:
        """Send one request from a client address, and return the status of the answer."""
        connection = http.client.HTTPConnection(self.place, timeout=120)
        try:
            headers = {**sent.headers, "X-Forwarded-For": address}
            connection.request(sent.method, sent.path, sent.body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def log_in(self, address: str, password: str = PASSWORD, name: str = "anna") -> int:
        """Log in from a client address, and return the status of the answer."""
        body = json.dumps({"username": name, "password": password})
        return self.send(_write_body("login", "/api/token/", body), address)


class Clients:
    """Honest clients beside the attack. They note the longest time that one of them has waited."""

    def __init__(self, server: Server, number: int) -> None:
        self._server, self._stopped, self.longest, self.statuses = server, threading.Event(), 0.0, set[int]()
        self._threads = [threading.Thread(target=self._work, args=(index,)) for index in range(number)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, index: int) -> None:
        call = Sent(name="honest", path="/public/", method="GET")
        while not self._stopped.is_set():
            began = time.perf_counter()
            self.statuses.add(self._server.send(call, f"203.0.113.{index}"))
            self.longest = max(self.longest, time.perf_counter() - began)
            self._stopped.wait(0.05)


# -- The attack ------------------------------------------------------------------------------------


def measure(server: Server, sent: Sent, address: str, clients: Clients) -> Cost:
    """Send one request, and return its cost."""
    clients.longest, before = 0.0, server.read_cpu()
    status = server.send(sent, address)
    return Cost(sent=sent, status=status, cpu=server.read_cpu() - before, waited=clients.longest)


def attack(server: Server, requests: list[Sent]) -> list[str]:
    """Send everything, print the costs, and return the faults that were found."""
    faults: list[str] = []
    if (status := server.log_in(HOME)) != 200:
        faults.append(f"the owner cannot log in before the attack: {status}")
    refused = _write_body("an honest login, refused", "/api/token/", '{"username": "bob", "password": "x"}')
    with Clients(server, 2) as clients:
        honest = [measure(server, refused, f"198.51.100.{index}", clients) for index in range(5)]
        limit = MOST_LOGINS * median(cost.cpu for cost in honest)
        print_costs(honest)
        costs = [
            measure(server, sent, f"10.{index // 250}.{index % 250}.1", clients)
            for index, sent in enumerate(requests)
        ]
        print_costs(costs)
        guesses = [server.log_in(f"172.16.{index}.1", f"guess {index}") for index in range(BOTNET)]
        owner, stranger = server.log_in(HOME), server.log_in("172.20.0.1")
        with ThreadPoolExecutor(BURST) as threads:
            burst = list(
                threads.map(lambda index: server.log_in(CAFE, f"guess {index}", "carl"), range(BURST))
            )
    print(f"\n{BURST} guesses at the same moment from one network: {burst.count(401)} were evaluated")
    print(f"{BOTNET} guesses from a botnet: {' '.join(map(str, guesses))}")
    print(f"then the right password: {owner} from home, {stranger} from a new network")
    print(f"{len(costs)} requests; the limit for each is {limit * 1000:.0f} ms of CPU")
    faults += judge(costs, limit)
    if burst.count(401) > MOST_GUESSES or burst.count(429) != BURST - burst.count(401):
        faults.append(f"of {BURST} guesses at the same moment {burst.count(401)} were evaluated")
    if owner != 200:
        faults.append(f"the owner is locked out where the owner was before: {owner}")
    if 429 not in guesses or stranger != 429:
        faults.append("the botnet was not stopped")
    if clients.statuses != {200}:
        faults.append(f"honest clients were refused: {sorted(clients.statuses)}")
    return faults


def judge(costs: list[Cost], limit: float) -> list[str]:
    """Return the faults of some requests: a high cost, an error of the server, or a login that succeeded."""
    return [
        *(f"{cost.sent.name}: a {cost.status}" for cost in costs if cost.status >= 500),
        *(f"{cost.sent.name}: {cost.cpu * 1000:.0f} ms of CPU" for cost in costs if cost.cpu > limit),
        *(f"a login of {cost.sent.name} succeeded" for cost in costs if _is_login(cost)),
    ]


def _is_login(cost: Cost) -> bool:
    return cost.sent.path in {"/api/token/", "/simplejwt/api/token/", "/jwt/auth/"} and cost.status < 400


def print_costs(costs: list[Cost]) -> None:
    """Print a line for each request, the most expensive first."""
    print(f"\n{'CPU ms':>8} {'wait ms':>8}  answer  request")
    for cost in sorted(costs, key=lambda cost: -cost.cpu):
        print(f"{cost.cpu * 1000:8.0f} {cost.waited * 1000:8.0f}  {cost.status:6}  {cost.sent.name}")


def run(folder: Path, *, quick: bool) -> list[str]:
    """Start a server, attack it, and return the faults that were found."""
    requests = list_requests()
    with run_server(folder, WORKERS) as address:
        return attack(Server(address, WORKERS), requests[::6] if quick else requests)


def main() -> int:
    """Run the attack from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each sixth request only")
    quick: bool = parser.parse_args().quick
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    with tempfile.TemporaryDirectory() as folder:
        faults = run(Path(folder), quick=quick)
    for fault in faults:
        print(f"FAULT: {fault}")
    print("Nothing was found." if not faults else f"{len(faults)} faults.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
