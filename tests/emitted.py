"""What holds for the names of every emitted source, whatever the user calls things."""

from __future__ import annotations

import ast
import builtins
import symtable
from typing import TYPE_CHECKING

from unigrad.backend import registry
from unigrad.config import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["names_that_meet"]


def names_that_meet(source: str, target: str) -> list[str]:
    """Names in a source for ``target`` that mean two things, or nothing; as sentences."""
    backend, mode = registry.get(Target.parse(target))
    helpers = backend.of_mode(mode).dialect.helpers.keys()
    return list(_complaints(source, frozenset(helpers)))


def _complaints(source: str, helpers: frozenset[str]) -> Iterator[str]:
    tree = ast.parse(source)
    table = symtable.symtable(source, "emitted", "exec")
    known = _bound_outside(tree)
    for name in sorted({name for name in known if known.count(name) > 1}):
        yield f"{name} is bound twice in the file"
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    own = functions.keys() - helpers
    for inside in table.get_children():
        name = inside.get_name()
        if name not in own:
            continue
        bound = [one for one in _bound_inside(functions[name]) if one != "_"]
        for one in sorted(set(bound)):
            if bound.count(one) > 1:
                yield f"{name}: {one} is bound twice"
            if one in known and (one != name or len(own) > 1):
                yield f"{name}: {one} hides what the file calls so"
            if hasattr(builtins, one):
                yield f"{name}: {one} hides a builtin"
        for symbol in inside.get_symbols():
            free = symbol.is_global() and not hasattr(builtins, symbol.get_name())
            if free and symbol.get_name() not in known:
                yield f"{name}: {symbol.get_name()} is bound nowhere"


def _bound_outside(tree: ast.Module) -> list[str]:
    found: list[str] = []
    for one in tree.body:
        if isinstance(one, (ast.FunctionDef, ast.ClassDef)):
            found.append(one.name)
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            found += [alias.asname or alias.name.partition(".")[0] for alias in one.names]
        else:
            found += _stored(one)
    return found


def _bound_inside(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in function.args.args] + _stored(function)


def _stored(tree: ast.AST) -> list[str]:
    return [
        one.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    ]
