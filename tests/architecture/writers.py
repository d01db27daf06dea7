"""Find where a module writes rows of a model.

No types are known here, so this follows names: from the model, or from what selects its rows, through
assignments, loops, parameters, results and calls. A write is any mention of ``update``, ``save`` and so on
behind such a name, called at once or handed to another function. ``statements`` finds the writes that are
spelled in other ways, when the tests execute them.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

from tools.house import find_renamed, walk

WRITES: Final = frozenset(
    f"{prefix}{verb}"
    for prefix in ("", "a")
    for verb in (
        *("save", "delete", "update", "create", "get_or_create", "update_or_create"),
        *("bulk_create", "bulk_update"),
    )
) | {"save_base", "_raw_delete", "_update", "_insert"}

SELECTORS: Final = {
    "select_sessions": "Session",
    "select_rotatable": "Session",
    "live_sessions": "Session",
    "SessionQuerySet": "Session",
}
"""Functions and classes whose results are rows of a model, besides the model itself."""


def find_writes(tree: ast.Module, models: Collection[str]) -> Iterator[tuple[str, int, str]]:
    """Find each write: the model, the line, and the method."""
    known = {**SELECTORS, **{model: model for model in models}}
    known |= {own: known[name] for own, name in find_renamed(tree).items() if name in known}
    while True:
        found = {name: model for name, model in _follow(tree, known) if name not in known}
        if not found:
            break
        known |= found
    for node in walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WRITES:
            model = _find_model(node.value, known)
            if model is not None:
                yield model, node.lineno, node.attr


def _follow(tree: ast.Module, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Find the names that an assignment, a loop or an annotation makes rows of a model."""
    for node in walk(tree):
        targets: list[ast.expr] = []
        value: ast.AST | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            targets, value = [node.target], node.iter
        elif isinstance(node, ast.arg):
            model = _find_annotated(node.annotation, known)
            if model is not None:
                yield node.arg, model
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            model = _find_annotated(node.returns, known)
            if model is not None:
                yield node.name, model
        yield from _pair(targets, value, known)


def _pair(targets: list[ast.expr], value: ast.AST | None, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    for target in targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, other in zip(target.elts, value.elts, strict=False):
                yield from _pair([one], other, known)
        elif isinstance(target, ast.Name) and value is not None:
            model = _find_model(value, known)
            if model is not None:
                yield target.id, model


def _find_annotated(annotation: ast.AST | None, known: dict[str, str]) -> str | None:
    """Return the model of a parameter: ``Session``, ``SessionQuerySet``, ``list[Session]`` and the like."""
    if annotation is None:
        return None
    if isinstance(annotation, ast.Constant):
        return (
            _find_annotated(ast.parse(annotation.value, mode="eval"), known)
            if isinstance(annotation.value, str)
            else None
        )
    names = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)]
    return next((known[name] for name in names if name in known), None)


def _find_model(value: ast.AST, known: dict[str, str]) -> str | None:
    """Return the model whose rows an expression has: a name in it tells."""
    while True:
        if isinstance(value, ast.Attribute):
            if value.attr in SELECTORS or value.attr[:1].isupper():  # not a name of this module
                model = known.get(value.attr)
                if model is not None:
                    return model
            value = value.value
        elif isinstance(value, ast.Call):
            given = (_find_model(item, known) for item in value.args)
            model = next((found for found in given if found is not None), None)
            if model is not None:
                return model
            value = value.func
        elif isinstance(value, ast.Constant):
            return known.get(str(value.value).rpartition(".")[2])  # a label: ``get_model("tessera.Session")``
        elif isinstance(value, ast.Subscript | ast.Await | ast.NamedExpr):
            value = value.value
        elif isinstance(value, ast.IfExp):
            return _find_model(value.body, known) or _find_model(value.orelse, known)
        else:
            return known.get(value.id) if isinstance(value, ast.Name) else None
