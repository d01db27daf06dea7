"""Run both sides, and write what they show: ``python -m tests.compat.differential``."""

import sys

from tests.compat.differential.compare import write_pages

for name in write_pages():
    sys.stdout.write(f"wrote {name}\n")
