"""The loop of the child. It reads ``{"call": "module.function", "with": {...}}`` and writes one answer.

Each message is a line of JSON. Only functions of this package can be called. Standard output of other code
goes to standard error, so that the answers have their own pipe.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import django


def main() -> None:
    """Execute calls, and write their results, until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    django.setup()
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    module, _, name = call["call"].partition(".")
    try:
        return {"value": getattr(import_module(f"benchmarks.inside.{module}"), name)(**call["with"])}
    except Exception as error:  # noqa: BLE001 - the parent decides about each error
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
