"""The rooms of the program: who may import whom, what runs everywhere, and who prints."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.layers.source import Package, imports, loaded_by, output, read_package

ROOT = "entrypoint"
PACKAGE = read_package(Path(__file__).parents[2] / ROOT)

FLOORS = [
    {
        "__main__": "starts the program",
    },
    {
        "cli": "arguments -> one command; how it ended -> exit status and status line",
    },
    {
        "author": "new, keygen, create, build, simulate, decrypt-results: what needs no station",
        "station": "check, doctor, inspect, ledger and more: what a station asks beside a visit",
    },
    {
        "images": "archives of images: their layers, and how a train's differs from its master's",
        "visit": "a visit, told in the order of its twelve steps, and what each step does",
    },
    {
        "protocol": "verify, decrypt, seal: the stages of a visit; the rule for the command",
        "settings": "station folder and environment -> one frozen value; the station's private key",
    },
    {
        "recovery": "the state of a visit on disk, its journal and backup, and the way back",
        "trust": "what the station knows by itself: pinned keys, the ledger of trains it has seen",
    },
    {
        "process": "the processes of a visit: confined, started, watched, ended; no key in here",
        "train_config": "train_config.json <-> model; the two generations behind one interface",
    },
    {
        "crypto": "ciphers, digests, MACs, signatures, keys; knows no fixed path, no configuration",
        "linux": "the kernel's part: mounts, access, free space, durable writing, removing",
    },
    {
        "files": "trees of files: walked, packed, archived; large files in constant memory",
    },
    {
        "report": "the only module that prints",
        "model": "data that several rooms share: paths, names",
    },
    {
        "errors": "one tree of errors, each with an exit status",
        "limits": "bounds of everything that is read or waited for",
    },
]
"""The rooms from top to bottom, each with what belongs there. A module imports only from the floors
below its own, so that a change is felt upwards only; and within its own room, so that a room can
have parts."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

STAGES = {"protocol.verify", "protocol.decrypt", "protocol.seal"}
"""Stages do not import one another: each works on what the one before returned, never on the stage
itself."""

ELSEWHERE_ABSENT = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
"""Modules of the standard library that Windows does not have."""

LINUX_ONLY = (f"{ROOT}.linux", f"{ROOT}.process")
"""Rooms that another system cannot import."""

VALIDATION = f"{ROOT}.station.validate_image"

_COMMANDS = ("new", "keygen", "create", "build", "decrypt_results", "simulate")
DESK = [f"{ROOT}.author.{name}" for name in _COMMANDS]
"""Commands of an author."""

PRINTS = f"{ROOT}.report"


def wrong_imports(name: str, module: ast.Module, package: Package) -> Iterator[str]:
    """Yield what is wrong with the imports of one module, a line each."""
    for found in imports(module, package):
        top, _, inner = found.target.partition(".")
        where = f"{name}:{found.line} imports {found.target}"
        if top != ROOT:
            if top not in sys.stdlib_module_names and top != "cryptography":
                yield f"{where}, which is neither standard library nor cryptography"
        elif inner and not _may_import(name, found.target):
            yield f"{where}, which is not below it"


def _may_import(importer: str, imported: str) -> bool:
    if _room(importer) == _room(imported):
        return not {importer.partition(".")[2], imported.partition(".")[2]} <= STAGES
    return FLOOR_OF[_room(importer)] < FLOOR_OF[_room(imported)]


def _room(name: str) -> str:
    return name.split(".")[1]


def modules(*, but: str = "") -> list[str]:
    """Return the names of all modules below the package's own."""
    return [name for name in PACKAGE if name not in {ROOT, but}]


def test_every_module_has_a_room() -> None:
    assert {_room(name) for name in modules()} <= set(FLOOR_OF)


@pytest.mark.parametrize("name", modules())
def test_imports_go_downwards_and_to_cryptography_only(name: str) -> None:
    assert list(wrong_imports(name, PACKAGE[name], PACKAGE)) == []


@pytest.mark.parametrize("name", modules())
def test_generations_meet_in_one_room_only(name: str) -> None:
    if _room(name) == "train_config":
        return
    apart = {"flat", "route"}
    named = {found.target.rpartition(".")[2] for found in imports(PACKAGE[name], PACKAGE)}
    assert not named & apart, "a generation is used by its name"
    compared = [part for node in ast.walk(PACKAGE[name]) for part in _sides_of_choice(node)]
    assert not [part for part in compared if getattr(part, "attr", "") == "generation"]


def _sides_of_choice(node: ast.AST) -> list[ast.expr]:
    """Return the operands of a comparison or a match."""
    match node:
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Match():
            return [node.subject]
    return []


def test_one_module_of_a_visit_loads_the_private_key() -> None:
    key = f"{ROOT}.settings.private_key"
    loading = {
        name
        for name in modules()
        for found in imports(PACKAGE[name], PACKAGE)
        if found.target == key
    }
    assert loading == {
        f"{ROOT}.settings.load",
        f"{ROOT}.settings.settings",
        f"{ROOT}.station.station_rows",
        f"{ROOT}.visit.station_key",
    }


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports(PACKAGE[ROOT], PACKAGE)) == []


def test_no_module_reaches_itself_again() -> None:
    graph = {name: {found.target for found in imports(PACKAGE[name], PACKAGE)} for name in PACKAGE}
    order = TopologicalSorter(graph).static_order()  # raises CycleError with the circle
    assert set(order) >= set(PACKAGE)


@pytest.mark.parametrize("start", [*DESK, VALIDATION])
def test_commands_that_run_on_other_systems_need_no_linux(start: str) -> None:
    _assert_runs_everywhere(loaded_by(start, PACKAGE, deferred=True))


def test_the_validation_of_images_needs_the_standard_library_only() -> None:
    loaded = loaded_by(VALIDATION, PACKAGE, deferred=True)
    assert [way for name, way in loaded.items() if name.startswith("cryptography")] == []


def test_the_command_line_starts_without_linux() -> None:
    _assert_runs_everywhere(loaded_by(f"{ROOT}.__main__", PACKAGE, deferred=False))


def _assert_runs_everywhere(ways: dict[str, str]) -> None:
    bound = {
        name: way
        for name, way in ways.items()
        if name.startswith(LINUX_ONLY) or name in ELSEWHERE_ABSENT
    }
    assert bound == {}


@pytest.mark.parametrize("name", modules(but=PRINTS))
def test_only_report_prints(name: str) -> None:
    assert list(output(PACKAGE[name])) == []


@pytest.mark.parametrize(
    ("name", "source", "flaw"),
    [
        ("entrypoint.files.tree", "from entrypoint.visit import story", "not below"),
        ("entrypoint.files.tree", "import entrypoint.crypto.keys", "not below"),
        ("entrypoint.errors", "from entrypoint.limits import CONFIG_BYTES", "not below"),
        ("entrypoint.linux.mounts", "def f():\n    import entrypoint.crypto.keys", "not below"),
        ("entrypoint.protocol.seal", "from entrypoint.protocol import verify", "not below"),
        ("entrypoint.author.create", "from entrypoint.station import export", "not below"),
        ("entrypoint.crypto.keys", "import numpy.linalg", "neither"),
    ],
)
def test_a_wrong_import_is_found(name: str, source: str, flaw: str) -> None:
    package = {f"entrypoint.{inner}": ast.Module([], []) for inner in FLOOR_OF}
    package |= {"entrypoint.protocol.verify": ast.Module([], [])}
    [found] = wrong_imports(name, ast.parse(source), package)
    assert flaw in found


@pytest.mark.parametrize(
    "source", ["print(1)", "import sys\nsys.stderr.write('')", "f(file=sys.stdout.buffer)"]
)
def test_output_is_found(source: str) -> None:
    assert list(output(ast.parse(source)))


def test_the_way_to_a_deferred_import_is_found_only_when_asked_for() -> None:
    for deferred in ("def f():", "if TYPE_CHECKING:"):
        sources = {"a": "", "a.top": "from a import mid", "a.mid": f"{deferred}\n    import fcntl"}
        package = {name: ast.parse(source) for name, source in sources.items()}
        assert "fcntl" not in loaded_by("a.top", package, deferred=False)
        assert loaded_by("a.top", package, deferred=True)["fcntl"] == "a.top > a.mid > fcntl"
