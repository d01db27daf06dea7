"""The parent's side of the children. Each peer has one child, in its own environment.

The children take turns. In each round each child runs one batch, in a new random order. The other children
wait for their line of input and use no CPU. So a disturbance of the machine affects all children equally.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks import environments
from benchmarks.peers import HOME, ROOT, TESSERA, Peer
from benchmarks.progress import advance, say


class WorkerError(Exception):
    """A child could not answer a call. The message comes from the child."""


class Worker:
    """One child process."""

    def __init__(
        self,
        peer: Peer,
        database: str,
        *,
        name: str = "",
        log: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.peer = peer
        self.variables = {**peer.describe(database, name=name), **(variables or {})}
        python = environments.python_of(peer.environment)
        path = HOME / "logs" / f"{log or self.variables['BENCH_DATABASE_NAME']}-{database}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", "benchmarks.inside"],
                cwd=ROOT,
                env=self.variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # the parent handles Ctrl-C, and the child drops its database
            )
        self._log = path

    def ask(self, call: str, **arguments: Any) -> Any:
        """Call a function in the child, and return its result.

        Raises:
            WorkerError: the function raised an error, or the child has died.
        """
        assert self._process.stdin is not None  # noqa: S101 - both streams are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps({"call": call, "with": arguments}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "null")
        except (OSError, ValueError) as error:
            raise WorkerError(f"{call}: {error}; see {self._log.relative_to(ROOT)}") from error
        if answer is None:
            raise WorkerError(f"{call}: the process ended; see {self._log.relative_to(ROOT)}")
        if "error" in answer:
            raise WorkerError(f"{call}: {answer['error']}")
        return answer["value"]

    def close(self, *, drop: bool = True) -> None:
        """Stop the child, and drop its database."""
        try:
            if drop and self._process.poll() is None:
                self.ask("database.drop")
        except WorkerError as error:
            say(f"{self.peer.name}: could not drop its database: {error}")
        finally:
            self._process.communicate()


@contextmanager
def working(peer: Peer, database: str, **more: Any) -> Iterator[Worker]:
    """Run one child while the block runs."""
    worker = Worker(peer, database, **more)
    try:
        yield worker
    finally:
        worker.close()


def take_turns(
    label: str, workers: Mapping[str, Worker], *, rounds: int, call: str, **arguments: Any
) -> dict[str, list[Any]]:
    """Run ``call`` once in each child in each round. Return the results, round by round."""
    found: dict[str, list[Any]] = {name: [] for name in workers}
    for _ in advance(label, range(rounds)):
        for name in random.sample(list(workers), len(workers)):
            found[name].append(workers[name].ask(call, **arguments))
    return found


def make_keys() -> None:
    """Create the key files that some peers need."""
    with working(TESSERA, "sqlite", name="keys") as worker:
        worker.ask("keys.make", folder=str(HOME / "keys"))
