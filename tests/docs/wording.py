"""Tell from the source of the package which texts an expression can stand for."""

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isfunction
from itertools import product
from math import prod

from tests.docs.placeholders import is_placeholder, placeholder
from tests.layers.source import Package

MOST_WORDINGS = 16
"""Maximum number of wordings of one text; where there are more, a placeholder stands for all."""

DEEPEST = 12
"""Maximum number of steps that are taken back from a text to where it comes from."""


@dataclass(frozen=True)
class Place:
    """A call, and where it stands.

    Attributes:
        module: its full name.
        owner: the name of the class around it, or nothing.
        functions: those around it, the innermost first.
        call: the call itself.
        bound: names whose values are chosen: each an expression and the place where it stands.
    """

    module: str
    owner: str
    functions: tuple[ast.FunctionDef, ...]
    call: ast.Call
    bound: Mapping[str, tuple[ast.expr, "Place"]] = field(default_factory=dict)

    @property
    def callee(self) -> str:
        return ast.unparse(self.call.func)


class Code:
    """The source of the package, and what its names stand for.

    Args:
        package: its modules.
    """

    def __init__(self, package: Package) -> None:
        self._package = package

    @cached_property
    def calls(self) -> list[Place]:
        """All calls of the package."""
        return [
            place for name, module in self._package.items() for place in _calls(name, module, "")
        ]

    @cached_property
    def _calls_by_name(self) -> dict[str, list[Place]]:
        found: defaultdict[str, list[Place]] = defaultdict(list)
        for place in self.calls:
            found[place.callee.rpartition(".")[2]].append(place)
        return found

    def value(self, module: str, name: str) -> object:
        """Return what a global name of a module, such as `errors.PhtError`, stands for, or None."""
        if module.endswith("__main__"):
            return None  # to import it would start the program
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    def texts(self, node: ast.expr, place: Place, depth: int = DEEPEST) -> list[str]:
        """Return the texts that an expression can be, with ⟨NAME⟩ for what only a run can tell."""
        found = dict.fromkeys(self._known(node, place, depth - 1) if depth else [])
        known = [text for text in found if not is_placeholder(text)]
        unknown = [text for text in found if is_placeholder(text)]
        if not found or (unknown and isinstance(node, ast.Name | ast.Call)):
            unknown = [placeholder(node)]
        return [*known, *unknown] if len(known) <= MOST_WORDINGS else [placeholder(node)]

    def _known(self, node: ast.expr, place: Place, depth: int) -> list[str]:
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return self._joined(parts, place, depth)
            case ast.FormattedValue(value=value):
                return self.texts(value, place, depth)
            case ast.BinOp(op=ast.Add(), left=left, right=right) if _is_text(node):
                return self._joined([left, right], place, depth)
            case ast.BinOp(op=ast.Div(), left=folder, right=name) if _is_text(name):
                return self._joined([folder, ast.Constant("/"), name], place, depth)
            case ast.IfExp(body=body, orelse=orelse):
                return self.texts(body, place, depth) + self.texts(orelse, place, depth)
            case ast.BoolOp(values=values):
                texts = (text for value in values for text in self.texts(value, place, depth))
                return [*filter(None, texts)]
            case ast.Name(id=name):
                return self._named(name, place, depth)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=0)) if (
                name in place.bound
            ):
                return self._literals(*place.bound[name])[:1]
            case ast.Subscript(value=ast.Name(id=name)):
                held = self.value(place.module, name)
                return list(map(str, held.values())) if isinstance(held, dict) else []
            case ast.Call(
                func=ast.Attribute(attr="join", value=ast.Constant(value=str(comma))),
                args=[ast.Name(id=name)],
            ) if name in place.bound:
                literals = self._literals(*place.bound[name])
                return [comma.join(literals)] if literals else []
            case ast.Call(func=ast.Attribute(attr="lower", value=value)):
                return self.texts(value, place, depth)
            case ast.Call(func=ast.Name(id="Path" | "str"), args=[value]):
                return self.texts(value, place, depth)
            case ast.Call(func=called):
                return self._returned(ast.unparse(called), place, depth)
        return []

    def _literals(self, node: ast.expr, place: Place) -> list[str]:
        """Return the texts in a tuple of constants; a starred name stands for a dict's keys."""
        texts: list[str] = []
        for part in node.elts if isinstance(node, ast.Tuple) else ():
            match part:
                case ast.Constant(value=str(text)):
                    texts.append(text)
                case ast.Starred(value=ast.Name(id=name)):
                    held = self.value(place.module, name)
                    texts += map(str, held if isinstance(held, dict) else ())
        return texts

    def _joined(self, parts: Sequence[ast.expr], place: Place, depth: int) -> list[str]:
        wordings = [self.texts(part, place, depth) for part in parts]
        for number, part in enumerate(parts):
            if prod(map(len, wordings)) > MOST_WORDINGS and len(wordings[number]) > 1:
                wordings[number] = [placeholder(part)]
        return ["".join(chosen) for chosen in product(*wordings)]

    def _named(self, name: str, place: Place, depth: int) -> list[str]:
        """Return what a variable, a parameter or a constant can hold."""
        if name in place.bound:
            return self.texts(*place.bound[name], depth)
        for function in place.functions:
            if name in [argument.arg for argument in parameters_of(function)]:
                return self._passed(name, function, place, depth)
            assigned = [
                *self._assigned(name, function, place, depth),
                *self._caught(name, function, place, depth),
            ]
            if assigned:
                return assigned
        return self._constant(name, place, depth)

    def _constant(self, name: str, place: Place, depth: int) -> list[str]:
        """Return the value of a constant of a module: numbers as they are, texts as written."""
        number = self.value(place.module, name)
        if isinstance(number, int | float):
            return [f"{number:g}" if isinstance(number, float) else str(number)]
        for node in ast.walk(self._package.get(place.module, ast.Module([], []))):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    if module in self._package and name in [alias.name for alias in names]:
                        return self._constant(name, Place(module, "", (), place.call), depth)
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    if name.isupper():
                        return self.texts(value, Place(place.module, "", (), place.call), depth)
        return []

    def _assigned(
        self, name: str, function: ast.FunctionDef, place: Place, depth: int
    ) -> Iterator[str]:
        for node in ast.walk(function):
            if isinstance(node, ast.NamedExpr) and node.target.id == name:
                yield from filter(None, self.texts(node.value, place, depth))
            if not isinstance(node, ast.Assign) or ast.unparse(node.value) == "None":
                continue
            match node.targets[0], node.value:
                case ast.Name(id=target), value if target == name:
                    texts = self.texts(value, place, depth)
                    yield from filter(None, texts) if _is_refused_empty(name, function) else texts
                case ast.Tuple(elts=targets), value:
                    names = [ast.unparse(target) for target in targets]
                    if name not in names:
                        continue
                    index = names.index(name)
                    if isinstance(value, ast.Tuple):
                        yield from self.texts(value.elts[index], place, depth)
                    elif isinstance(value, ast.Call):
                        callee = ast.unparse(value.func)
                        yield from self._returned(callee, place, depth, index)

    def _passed(self, name: str, function: ast.FunctionDef, place: Place, depth: int) -> list[str]:
        """Return what callers give for a parameter."""
        texts = []
        for caller in self.callers(function, place):
            argument = argument_of(name, function, caller.call)
            texts += self.texts(argument, caller, depth) if argument else []
        return texts

    def callers(self, function: ast.FunctionDef, place: Place) -> Iterator[Place]:
        """Yield the calls of the function that a place stands in."""
        called = place.owner if function.name == "__init__" else function.name
        for caller in self._calls_by_name.get(called, ()):
            if caller.module == place.module or self._is_of(place.module, caller):
                yield caller

    def _caught(
        self, name: str, function: ast.FunctionDef, place: Place, depth: int
    ) -> Iterator[str]:
        """Yield the messages of an exception of the package that a name is given to."""
        for block in ast.walk(function):
            if not isinstance(block, ast.Try):
                continue
            for handler in block.handlers:
                if handler.name != name or not handler.type:
                    continue
                kind = ast.unparse(handler.type)
                module = str(getattr(self.value(place.module, kind), "__module__", ""))
                within = {node for statement in block.body for node in ast.walk(statement)}
                for made in self._calls_by_name.get(kind, ()) if module in self._package else ():
                    if made.call in within or self._reached(within) & _names(made.functions):
                        yield from self.texts(made.call.args[0], made, depth)

    def _reached(self, nodes: set[ast.AST]) -> set[str]:
        """Return the names of all functions that are called by some code, or by one of these."""
        reached = {node.id for node in nodes if isinstance(node, ast.Name)}
        while True:
            more = {place.callee for place in self.calls if _names(place.functions) & reached}
            if more <= reached:
                return reached
            reached |= more

    def _is_of(self, module: str, caller: Place) -> bool:
        """Return whether a call is one of a function or class of a module."""
        return getattr(self.value(caller.module, caller.callee), "__module__", None) == module

    def _returned(
        self, callee: str, place: Place, depth: int, index: int | None = None
    ) -> list[str]:
        """Return what a function of the package returns, or one part of its tuple."""
        texts = []
        for module, function in self._functions(callee, place):
            inside = Place(module, "", (function,), place.call)
            values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
            for value in filter(None, values):
                if index is None:
                    texts += self.texts(value, inside, depth)
                elif isinstance(value, ast.Tuple):
                    texts += self.texts(value.elts[index], inside, depth)
                elif isinstance(value, ast.Call) and depth:
                    texts += self._returned(ast.unparse(value.func), inside, depth - 1, index)
        return texts

    def tuples(
        self, node: ast.expr, place: Place, depth: int
    ) -> Iterator[tuple[list[ast.expr], Place]]:
        """Yield the parts of each tuple that an expression can be, and where they stand."""
        match node:
            case ast.Tuple(elts=parts):
                yield parts, place
            case ast.Name(id=name):
                for function in place.functions[:1]:
                    for given in ast.walk(function):
                        if isinstance(given, ast.NamedExpr) and given.target.id == name:
                            yield from self.tuples(given.value, place, depth)
            case ast.Call(func=called) if depth:
                for module, function in self._functions(ast.unparse(called), place):
                    inside = Place(module, "", (function,), place.call)
                    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
                    for returned in sorted(returns, key=lambda node: node.lineno):
                        if returned.value:
                            yield from self.tuples(returned.value, inside, depth - 1)

    def _functions(self, callee: str, place: Place) -> Iterator[tuple[str, ast.FunctionDef]]:
        """Yield the module and the definition of a function, or of a method of the same module."""
        module, name = place.module, callee.removeprefix("self.")
        found = self.value(module, callee)
        if isfunction(found):
            module, name = found.__module__, found.__name__
        for node in ast.walk(self._package.get(module, ast.Module([], []))):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                yield module, node


def _calls(
    module: str, node: ast.AST, owner: str, functions: tuple[ast.FunctionDef, ...] = ()
) -> Iterator[Place]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield Place(module, owner, functions, child)
        match child:
            case ast.ClassDef():
                yield from _calls(module, child, child.name, functions)
            case ast.FunctionDef():
                yield from _calls(module, child, owner, (child, *functions))
            case _:
                yield from _calls(module, child, owner, functions)


def _is_refused_empty(name: str, function: ast.FunctionDef) -> bool:
    """Return whether a function goes on with a variable only if it is not empty."""
    tests = (node.test for node in ast.walk(function) if isinstance(node, ast.If))
    return f"not {name}" in map(ast.unparse, tests)


def _names(functions: Sequence[ast.FunctionDef]) -> set[str]:
    return {function.name for function in functions}


def parameters_of(function: ast.FunctionDef) -> list[ast.arg]:
    """Return the parameters of a function."""
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def argument_of(name: str, function: ast.FunctionDef, call: ast.Call) -> ast.expr | None:
    """Return what a call gives for a parameter, or its default."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    names = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
    if name in names and names.index(name) < len(call.args):
        return call.args[names.index(name)]
    with_default = names[len(names) - len(function.args.defaults) :]
    if name in with_default:
        return function.args.defaults[with_default.index(name)]
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if argument.arg == name:
            return default
    return None


def literal(node: ast.AST) -> str:
    """Return a text as written, with ⟨NAME⟩ for what only a run can tell; nothing for the rest."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part) or placeholder(part) for part in parts)
    return ""


def _is_text(node: ast.expr) -> bool:
    """Return whether an expression is made of text, and not a sum of numbers."""
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and type(part.value) is str)
        for part in ast.walk(node)
    ) or (isinstance(node, ast.Name) and node.id.isupper())
