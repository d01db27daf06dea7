"""The private services of a run: PostgreSQL with a streaming replica, Redis, and the app servers.

All methods wait, so the run calls them in threads.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import psycopg

from tests.chaos import clocks
from tests.servers import PATIENCE, ROOT, Redis, find_port, is_open, wait_until

PROGRAMS: Final = ("initdb", "pg_ctl", "pg_basebackup", "redis-server")
CLOCK: Final = "TESSERA_CHAOS_CLOCK"
"""The variable with the file that moves the clock of a server. Without it the clock is right."""
PASSWORD: Final = "correct horse battery staple"
_OPTIONS: Final = "-h 127.0.0.1 -k '' -F -c max_wal_senders=8 -c max_connections=80 -c shared_buffers=32MB"


def find_missing() -> list[str]:
    """Return the programs that a run needs and that this machine does not have."""
    needed = [*PROGRAMS, *(["runuser"] if os.geteuid() == 0 else [])]
    missing = [name for name in needed if shutil.which(name) is None]
    return missing if Path("/proc/self/stat").exists() else [*missing, "/proc"]


def list_children(parent: int) -> list[int]:
    """Return the processes that a process has started, and their children."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found, children = [], [parent]
    while children:
        children = [pid for pid, above in parents.items() if above in children]
        found += children
    return found


def send_signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes. Some of them may have ended meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Node:
    """One PostgreSQL: a primary, or a replica that becomes one."""

    def __init__(self, folder: Path) -> None:
        self.port, self._data = find_port(), folder / f"pg{find_port()}"
        # PostgreSQL refuses to run as root, but tests in containers run as root.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._data.mkdir(mode=0o700)
        if self._as:
            shutil.chown(self._data, "postgres")

    def _run(self, program: str, *arguments: str) -> None:
        path = _find_program(program)
        done = subprocess.run(
            [*self._as, path, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode()}")

    def create(self) -> None:
        """Make an empty cluster."""
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "-N")

    def copy(self, port: int) -> None:
        """Make a streaming replica of the primary at a port."""
        where = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        self._run(
            "pg_basebackup", "-D", str(self._data), *where, "-R", "-X", "stream", "-c", "fast", "--no-sync"
        )

    def start(self) -> None:
        """Start, and wait until connections are accepted.

        After a kill the system may need a moment until it has freed the memory of the old processes.
        """
        log = self._data / "log"
        options = f"-p {self.port} {_OPTIONS}"
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._run(
                    "pg_ctl", "-D", str(self._data), "-o", options, "-l", str(log), "-w", "-t", "60", "start"
                )
            except RuntimeError as error:
                if time.monotonic() > end:
                    raise RuntimeError(f"{error}\n{log.read_text()[-2000:]}") from error
                time.sleep(0.5)
            else:
                return

    def stop(self) -> None:
        """Stop at once, as after a loss of power."""
        with suppress(RuntimeError, OSError):
            self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "-t", "60", "stop")

    def kill(self) -> None:
        """End all processes with SIGKILL, the postmaster first."""
        pids = self.list_processes()
        send_signal(pids, signal.SIGKILL)
        wait_until(lambda: not any(_is_running(pid) for pid in pids), "PostgreSQL does not die")

    def crash(self, rng: Random) -> None:
        """End one backend with SIGKILL. The postmaster then restarts everything."""
        backends = self.list_processes()[1:]
        send_signal([rng.choice(backends)] if backends else [], signal.SIGKILL)

    def promote(self) -> None:
        """Make this replica a primary."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "promote")

    def pause(self, *, paused: bool) -> None:
        """Stop all processes without ending them, or let them go on."""
        send_signal(self.list_processes(), signal.SIGSTOP if paused else signal.SIGCONT)

    def list_processes(self) -> list[int]:
        """Return the postmaster and its children."""
        with suppress(OSError, ValueError, IndexError):
            postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
            if _is_running(postmaster):
                return [postmaster, *list_children(postmaster)]
        return []

    def remove(self) -> None:
        """Stop, and delete the cluster."""
        self.pause(paused=False)
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement."""
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


def _find_program(name: str) -> str:
    """Return the path of a program. Those of PostgreSQL are beside ``initdb``, and have its version."""
    beside = Path(str(shutil.which("initdb"))).resolve().parent / name
    return str(beside) if beside.exists() else str(shutil.which(name))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Store(Redis):
    """A Redis that can be killed, paused and emptied."""

    def kill(self) -> None:
        """End it with SIGKILL. It writes each change to a file, and reads the file at its start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, *, paused: bool) -> None:
        """Stop the process without ending it, or let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def flush(self) -> None:
        """Remove everything from it."""
        import redis

        redis.Redis.from_url(self.url).flushall()


class AppServer:
    """One gunicorn with two workers, with a clock, a database address and a Redis address of its own."""

    def __init__(self, name: str, folder: Path, offset: float) -> None:
        self.name, self.port, self._offset = name, find_port(), offset
        self.clock, self.log = folder / f"clock-{name}", folder / f"server-{name}.log"
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.jump(0.0)

    def configure(self, environment: Mapping[str, str]) -> None:
        """Set the addresses of the stores."""
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.project.settings",
            CLOCK: str(self.clock),
            "TESSERA_CHAOS_SERVER": self.name,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            **environment,
        }

    def jump(self, seconds: float) -> None:
        """Set the clock to its usual offset plus some seconds."""
        clocks.set_offset(self.clock, self._offset + seconds)

    def start(self) -> None:
        """Start, and wait until the port is open."""
        command = ["-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--timeout", "120", "--log-level", "warning", "--no-control-socket"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command, "django.core.wsgi:get_wsgi_application()"],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(lambda: is_open(self.port), f"the server {self.name} does not start")

    def kill(self) -> None:
        """End the whole server with SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def kill_worker(self, rng: Random) -> None:
        """End one worker with SIGKILL. gunicorn starts another one."""
        workers = list_children(self._process.pid) if self._process else []
        send_signal([rng.choice(workers)] if workers else [], signal.SIGKILL)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``manage.py`` with the settings of this server, and with the right time."""
        environment = {key: value for key, value in self._environment.items() if key != CLOCK}
        return subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


class Services:
    """All services of a run."""

    def __init__(self) -> None:
        # Do not use pytest's folder, because the user of PostgreSQL cannot read it.
        self.folder = Path(tempfile.mkdtemp(prefix="tessera-chaos-"))
        self.folder.chmod(0o755)
        self.primary, self.redis = Node(self.folder), Store(self.folder)
        self.replica: Node | None = None
        self.apps: list[AppServer] = []

    def start(self, apps: Mapping[str, float]) -> None:
        """Start the database and Redis. The app servers start later, because the links come between."""
        self.primary.create()
        self.primary.start()
        self.redis.start()
        self.apps = [AppServer(name, self.folder, offset) for name, offset in apps.items()]

    def fill(self, users: list[str]) -> None:
        """Create the tables and the users, without a limit of time, because the machine may be busy."""
        script = (
            "import django; django.setup();"
            "from django.db import connection; connection.cursor().execute('SET statement_timeout = 0');"
            "from django.core.management import call_command; call_command('migrate', verbosity=0);"
            "from django.contrib.auth.hashers import make_password as m;"
            "from django.contrib.auth.models import User as U;"
            f"h = m({PASSWORD!r}); users = [U(username=n, password=h) for n in {users!r}];"
            "U.objects.bulk_create(users, ignore_conflicts=True)"
        )
        environment = self.apps[0]._environment
        subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, check=True)

    def follow(self, port: int) -> None:
        """Start a replica of the primary, whose address is a port."""
        replica = Node(self.folder)
        replica.copy(port)
        replica.start()
        self.replica = replica

    def fail_over(self) -> None:
        """End the primary, and promote the replica."""
        assert self.replica is not None
        old, self.primary, self.replica = self.primary, self.replica, None
        old.kill()
        self.primary.promote()
        old.remove()

    def stop(self) -> None:
        """Stop everything, and delete the folder."""
        for app in self.apps:
            app.kill()
        for node in (self.replica, self.primary):
            if node is not None:
                node.remove()
        self.redis.pause(paused=False)
        self.redis.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
