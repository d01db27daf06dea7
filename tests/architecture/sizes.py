"""Count code."""

from __future__ import annotations

import ast


def count_code(text: str) -> int:
    """Count the lines that are neither blank nor docstring."""
    tree = ast.parse(text)
    spoken = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            spoken |= set(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in spoken for number, line in lines)
