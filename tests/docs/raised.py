"""Find every error that the package makes, by reading its source."""

import ast
import importlib
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter

from entrypoint import errors
from tests.layers.refusals import PACKAGE, makings

SELINUX = (
    "; SELinux may need chcon -R -t container_file_t for a folder of the station alone, "
    "--security-opt label=disable for other data"
)

COMPUTED = {
    ("archive-malformed", "PROBLEM"): "it is no complete tar, names or sizes in it are ambiguous, "
    "or its documents are missing or malformed",
    (
        "config-malformed",
        "PROBLEM",
    ): "is not JSON, not in UTF-8, nested deeper than 32 levels, has "
    "a key twice, or holds NaN, Infinity or a huge number",
    ("data-unreadable", "read …"): "read TRAIN_DATA_PATH",
    ("data-unreadable", "FOLDER…"): f"FOLDER{SELINUX}",
    ("disk-full", "PROBLEM"): "NUMBER bytes are missing",
    ("image-missing", "…"): "the system's reason",
    ("masters-malformed", "PROBLEM"): "is not what pht describe-image prints",
    ("masters-unreadable", "…"): "the system's reason",
    ("key-size-refused", "LONGEST"): "8192 (of Paillier 6144)",
    ("master-unusable", "PROBLEM"): "the first difference between its documents and its files",
    (
        "name-unsuitable",
        "PROBLEM",
    ): "it has a character that Windows reserves, ends with a dot or a "
    "blank, is the name of a device, or differs from another only in case",
    ("password-unusable", "ENCODING"): "is in UTF-16 or has a byte order mark",
    ("password-unusable", "HINT"): "type one, or save it as the only line of its file, in UTF-8 "
    "without a byte order mark; keygen makes a key without a password with --no-password",
    ("paillier-key-unusable", "PROBLEM"): "is the other half, has another form or size, or numbers "
    "that do not belong together",
    ("place-unsuitable", "MESSAGE; HINT"): "the message and hint of the check that failed",
    ("private-key-unusable", "PROBLEM"): "is no RSA key of 2048 to 8192 bits in PEM, or its "
    "password is missing or wrong",
    ("private-key-unusable", "HINT"): "give an RSA key of 2048 to 8192 bits in PEM, and its "
    "password if it has one; the hint has the command that converts other forms to PEM",
    ("public-key-unusable", "PROBLEM"): "is no public RSA key of 2048 to 8192 bits in PEM",
    ("public-key-unusable", "HINT"): "convert it to PEM with the command in the hint",
    ("results-before-first-stop", "HINT"): "begin again at the pull of the image",
    ("results-not-opened", "HINT"): "begin again at the pull of the image",
    ("results-unsafe", "WHAT"): "a device, FIFO or socket, or a folder nested too deep",
    ("setting-malformed", "DECORATION"): "quotes, blanks or a comment around it",
    ("setting-unreadable", "PATH…"): f"PATH{SELINUX}",
    ("special-file", "ENTRY"): "a device, FIFO or socket, or a folder nested too deep",
    ("station-env-malformed", "PROBLEM"): "is not NAME=VALUE, or sets a name a second time",
    ("station-id-missing", "EMPTY"): "[, and FOLDER is empty or not there]",
    ("station-id-missing", "MOUNT"): "[mount the station folder at FOLDER, read-only; ]",
    ("station-not-on-route", "PROBLEM"): "the train does not stop at this station",
    ("station-not-on-route", "IDS"): "the ids on this train are: …",
    ("station-not-on-route", "HINT"): "check --station; the ids on this train are: …",
    ("storage-failed", "…WHERE"): "reading or writing failed: the system's reason, and PATH",
    ("storage-failed", "HINT"): "check the disk, its free space and the permissions, then start "
    "again: the same container, if results were being sealed",
    ("train-failed", "TEXT"): "was not found, cannot be executed, ended with another status than "
    "0, was killed by a signal, or ran too long[, after memory had run out]",
    ("train-failed", "HINT"): "if memory ran out, or after SIGKILL, give a larger --memory, after "
    "SIGBUS a larger --shm-size, after SIGILL a newer machine, after a timeout a larger "
    "PHT_TIMEOUT; if a program or interpreter was not found, take a master image that has it, or "
    "save the script with the line ends of Unix; else tell the train's author; if a permission was "
    'denied, see docs/author.md, "Where a train may write"',
    ("train-still-running", "ADVICE"): "[; when they are gone, start this same container again]",
    ("usage", "PROBLEM"): "a command, option or argument is missing, unknown or malformed",
    ("usage", "HINT"): "pht help lists the commands, pht COMMAND --help the options of one",
}
"""Words for what the program computes: the code, the word in capitals, and what replaces it."""


@dataclass(frozen=True)
class Raised:
    """One error; a word in capitals, or `…`, stands for what is known only at run time."""

    code: str
    error: type[errors.PhtError]
    message: str
    hint: str
    by: str
    retry: bool


PYTHON_TOO_OLD = Raised(
    "python-too-old",
    errors.SystemFailure,
    "this program needs Python 3.11 or newer, but PATH is VERSION",
    "start it with a newer Python",
    by="station",
    retry=False,
)
"""The error of `__main__`, for a Python that cannot import the classes of errors."""


@cache
def raised() -> list[Raised]:
    """Return the error of each place that makes one; of a factory, one for each of its callers."""
    around: dict[ast.AST, ast.FunctionDef] = {}
    calls: defaultdict[str, list[tuple[str, ast.Call]]] = defaultdict(list)
    for module, tree in PACKAGE.items():
        for node in ast.walk(tree):  # inner functions come later, and win
            if isinstance(node, ast.FunctionDef):
                around |= dict.fromkeys(ast.walk(node), node)
            elif isinstance(node, ast.Call):
                calls[ast.unparse(node.func)].append((module, node))
    found = [PYTHON_TOO_OLD]
    for module, tree in PACKAGE.items():
        for kind, making in makings(tree):
            factory = around.get(making)
            given = [
                _given(factory, call, caller)
                for caller, call in (calls[factory.name] if factory else ())
                if factory and (caller == module or not factory.name.startswith("_"))
            ]
            found += [_read(kind, making, module, texts) for texts in given or [{}]]
    return [error for error in found if error.code.islower()]  # others pass a code on


def _given(factory: ast.FunctionDef, call: ast.Call, module: str) -> dict[str, str]:
    """Return the parameters that a call gives a text in the source."""
    arguments = _arguments(call, [parameter.arg for parameter in factory.args.args])
    return {
        name: _text(value, module, {})
        for name, value in arguments.items()
        if isinstance(value, ast.Constant | ast.JoinedStr)
    }


def _read(kind: str, making: ast.Call, module: str, given: dict[str, str]) -> Raised:
    arguments = _arguments(making, ["code", "message"])
    texts = {name: _text(value, module, given) for name, value in arguments.items()}
    for (code, word), words in COMPUTED.items():
        if code == texts["code"]:
            for name in ("message", "hint"):
                texts[name] = texts[name].replace(word, words)
    error: type[errors.PhtError] = getattr(errors, kind)
    by, retry = texts.get("by", error.default_by), texts.get("retry") == "True"
    return Raised(texts["code"], error, texts["message"], texts["hint"], by, retry)


def _arguments(call: ast.Call, names: list[str]) -> dict[str, ast.expr]:
    by_name = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return dict(zip(names, call.args, strict=False)) | by_name


def _text(node: ast.expr, module: str, given: dict[str, str]) -> str:
    text = partial(_text, module=module, given=given)
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=parts):
            return "".join(map(text, parts))
        case ast.BinOp(left=left, op=ast.Add() | ast.Div() as op, right=right):
            return text(left) + "/" * isinstance(op, ast.Div) + text(right)
        case ast.IfExp(body=body, orelse=orelse):
            texts = [text(body), text(orelse)]
            return " or ".join(texts) if all(texts) else f"[{''.join(texts)}]"
        case ast.Name(id=name) if name in given:
            return given[name]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name.isupper():
            constant = attrgetter(ast.unparse(node))(importlib.import_module(module))
            # The page must not depend on where it is made.
            return str(constant).removesuffix(".0").replace(sys.executable, "PYTHON")
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").upper()
        case ast.FormattedValue(value=value) | ast.Subscript(value=value):
            return text(value)
        case ast.Call(args=[ast.Name() | ast.Attribute() as value]):
            return text(value)  # of str(value), min(value), ", ".join(value)
    return "…"
