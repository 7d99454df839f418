"""Tell which message goes with which hint, where both come from one call or one pair."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.docs.wording import DEEPEST, Code, Place, argument_of, parameters_of


def variants(
    code: Code, place: Place, expressions: Sequence[ast.expr], depth: int = DEEPEST
) -> Iterator[Place]:
    """Yield the place once for each choice of the values that several expressions share."""
    function = place.functions[0] if place.functions and depth else None
    if function is None:
        yield place
        return
    used = [_used(expression, function) - place.bound.keys() for expression in expressions]
    parameters = {argument.arg for argument in parameters_of(function)} - {"self", "cls"}
    pairs = [node for node in ast.walk(function) if isinstance(node, ast.Assign) and _names(node)]
    for pair in pairs:
        if _is_shared(set(_names(pair)), used):
            yield from _with_pair(code, place, pair, used, depth)
            return
    if _is_shared(parameters, used):
        yield from _with_arguments(code, place, function, used, depth)
    else:
        yield place


def _with_pair(
    code: Code, place: Place, pair: ast.Assign, used: Sequence[set[str]], depth: int
) -> Iterator[Place]:
    """Yield the place with the variables of a tuple bound, for each tuple that they can be."""
    names = _names(pair)
    found = False
    for values, inside in code.tuples(pair.value, place, depth):
        chosen = dict(zip(names, values, strict=True))
        for variant in variants(code, inside, _parts(chosen, used), depth - 1):
            found = True
            bound = {name: (value, variant) for name, value in chosen.items()}
            yield replace(place, bound={**place.bound, **bound})
    if not found:
        yield place


def _with_arguments(
    code: Code, place: Place, function: ast.FunctionDef, used: Sequence[set[str]], depth: int
) -> Iterator[Place]:
    """Yield the place with the parameters of its function bound, for each caller."""
    found = False
    names = set().union(*used) & {argument.arg for argument in parameters_of(function)}
    for caller in code.callers(function, place):
        given = {name: argument_of(name, function, caller.call) for name in names}
        chosen = {name: value for name, value in given.items() if value}
        for variant in variants(code, caller, _parts(chosen, used), depth - 1):
            found = True
            bound = {name: (value, variant) for name, value in chosen.items()}
            yield replace(place, bound={**place.bound, **bound})
    if not found:
        yield place


def _parts(chosen: dict[str, ast.expr], used: Sequence[set[str]]) -> list[ast.expr]:
    """Return what was chosen for each of the expressions."""
    return [ast.Tuple([chosen[name] for name in names & chosen.keys()]) for names in used]


def _is_shared(names: set[str], used: Sequence[set[str]]) -> bool:
    return sum(bool(names & of_one) for of_one in used) > 1


def _names(assignment: ast.Assign) -> list[str]:
    """Return the variables that a tuple is unpacked into."""
    target = assignment.targets[0]
    return [ast.unparse(part) for part in target.elts] if isinstance(target, ast.Tuple) else []


def _used(expression: ast.expr, function: ast.FunctionDef) -> set[str]:
    """Return the names that an expression depends on, through the variables of its function."""
    found: set[str] = set()
    waiting: list[ast.AST] = [expression]
    while waiting:
        names = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)} - found
        found |= names
        waiting += [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in names
        ]
    return found
