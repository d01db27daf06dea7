"""The code of docs/howto/front-ends.md: its blocks that begin with the name of a file."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "front-ends.md"
_BLOCK = re.compile(r"^```(?:js|ts)\n// ([\w.]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

RECIPES = dict(_BLOCK.findall(PAGE.read_text()))
