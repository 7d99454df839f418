"""The rule for the train's command: what runs is a file that the user signed."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrypoint.errors import IntegrityError
from entrypoint.model import Paths
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.train_config import read
from entrypoint.trust.anchors import NO_ANCHORS
from entrypoint.visit.command import resolve_command
from tests import reference

FILES = ("train.py", "run.sh", "lib/step.R", "-c", "-m", "a b.py", "ü.py")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[VerifiedTrain, Paths]:
    root = tmp_path_factory.mktemp("root").resolve()
    opt = reference.build_initial(
        root,
        {**dict.fromkeys(FILES, b""), "query.json": b"{}"},
        reference.vector_key("user", private=True),
        {"station_1": reference.vector_key("station_1")},
    )
    (opt / "pht_train" / "unsigned.py").touch()
    (opt / "pht_results" / "train.py").touch()
    (opt / "evil.py").touch()
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "link.py").symlink_to(opt / "pht_train" / "train.py")
    (root / "elsewhere" / "train.py").touch()
    config = read((opt / "train_config.json").read_bytes())
    return VerifiedTrain(config=config, key=None, trust=NO_ANCHORS.judge(config)), Paths(root)


@pytest.fixture(autouse=True)
def _stay_where_you_are() -> Iterator[None]:
    before = Path.cwd()
    yield
    os.chdir(before)


def resolve(
    command: list[str],
    built: tuple[VerifiedTrain, Paths],
    *,
    any_command: bool = False,
    path: str = "/usr/bin:/bin",
) -> list[str]:
    train, paths = built
    return resolve_command(
        command, train, paths, any_command=any_command, environment={"PATH": path}
    )


ACCEPTED = [
    ["python", "/opt/pht_train/train.py"],
    ["python3", "/opt/pht_train/train.py"],
    ["python3.11", "/opt/pht_train/train.py"],
    ["/usr/local/bin/python", "/opt/pht_train/train.py"],
    ["python", "-u", "/opt/pht_train/train.py"],
    ["python", "-I", "-S", "-B", "/opt/pht_train/train.py"],
    ["python", "-uIB", "/opt/pht_train/train.py", "-c", "--", "code", ""],
    ["python", "/opt/pht_train/./lib/../train.py"],
    ["python", "/opt/pht_train//train.py"],
    ["python", "/opt/pht_train/a b.py"],
    ["python", "/opt/pht_train/ü.py"],
    ["sh", "/opt/pht_train/run.sh"],
    ["bash", "-eux", "/opt/pht_train/run.sh", "a"],
    ["dash", "-e", "/opt/pht_train/run.sh"],
    ["ash", "/opt/pht_train/run.sh"],
    ["Rscript", "/opt/pht_train/lib/step.R"],
    ["Rscript", "--vanilla", "--no-save", "--no-site-file", "/opt/pht_train/lib/step.R"],
    ["/opt/pht_train/run.sh"],
    ["/opt/pht_train/run.sh", "-c", "x"],
    ["/opt/pht_train/-c", "x"],
]


@pytest.mark.parametrize("command", ACCEPTED, ids=" ".join)
def test_accepted(command: list[str], built: tuple[VerifiedTrain, Paths]) -> None:
    train, paths = built
    resolved = resolve(command, built)
    changed = [number for number, word in enumerate(command) if resolved[number] != word]
    assert len(resolved) == len(command)
    assert len(changed) == 1
    position = changed[0]
    assert position == 0 or resolved[:position] == command[:position]
    file = Path(resolved[position])
    assert file.relative_to(paths.train).as_posix() in train.config.files
    assert "/." not in resolved[position]


REFUSED = [
    ["true"],
    [""],
    ["/bin/true", "/opt/pht_train/train.py"],
    ["python"],
    ["python", ""],
    ["python", "-"],
    ["python", "-u"],
    ["python", "-c", "/opt/pht_train/train.py"],
    ["python", "-c", "import os", "/opt/pht_train/train.py"],
    ["python", "-uc", "import os"],
    ["python", "-m", "train"],
    ["python", "-Im", "train"],
    ["python", "-i", "/opt/pht_train/train.py"],
    ["python", "-W", "ignore", "/opt/pht_train/train.py"],
    ["python", "-Wignore", "/opt/pht_train/train.py"],
    ["python", "-X", "importtime", "/opt/pht_train/train.py"],
    ["python", "-Xdev", "/opt/pht_train/train.py"],
    ["python", "-x", "/opt/pht_train/train.py"],
    ["python", "--", "/opt/pht_train/train.py"],
    ["python", "--check-hash-based-pycs", "never", "/opt/pht_train/train.py"],
    ["python", "/opt/pht_train"],
    ["python", "/opt/pht_train/"],
    ["python", "/opt/pht_train/lib"],
    ["python", "/opt/pht_train/unsigned.py"],
    ["python", "/opt/pht_train/missing.py"],
    ["python", "/opt/pht_train/query.json"],
    ["python", "/opt/pht_train/../evil.py"],
    ["python", "/opt/pht_train/../pht_results/train.py"],
    ["python", "/opt/pht_results/train.py"],
    ["python", "/opt/pht_train_other/train.py"],
    ["python", "opt/pht_train/train.py"],
    ["python", "train.py"],
    ["python", "/train.py"],
    ["sh", "-c", "echo"],
    ["sh", "-s"],
    ["sh", "-i", "/opt/pht_train/run.sh"],
    ["sh", "-eo", "pipefail", "/opt/pht_train/run.sh"],
    ["bash", "--rcfile", "/opt/pht_train/run.sh"],
    ["bash", "-ec", "/opt/pht_train/run.sh"],
    ["Rscript", "-e", "quit()", "/opt/pht_train/lib/step.R"],
    ["Rscript", "--default-packages=x", "/opt/pht_train/lib/step.R"],
    ["perl", "/opt/pht_train/train.py"],
    ["python2", "/opt/pht_train/train.py"],
    ["python3.11-dbg", "/opt/pht_train/train.py"],
    ["ipython", "/opt/pht_train/train.py"],
    ["env", "python", "/opt/pht_train/train.py"],
    ["nohup", "python", "/opt/pht_train/train.py"],
    ["find", "/opt/pht_train/train.py", "-exec", "true", ";"],
    ["run.sh"],
    ["/opt/pht_train/unsigned.py"],
    ["/opt/evil.py"],
]


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_refused(command: list[str], built: tuple[VerifiedTrain, Paths]) -> None:
    with pytest.raises(IntegrityError) as caught:
        resolve(command, built)
    assert (caught.value.code, caught.value.by) == ("command-not-signed", "author")
    assert resolve(command, built, any_command=True) == command


def test_a_name_in_the_working_directory(built: tuple[VerifiedTrain, Paths]) -> None:
    _, paths = built
    os.chdir(paths.train)
    expected = [str(paths.train / "train.py")]
    assert resolve(["python", "train.py"], built) == ["python", *expected]
    assert resolve(["python", "./train.py"], built) == ["python", *expected]
    assert resolve(["python", "lib/../train.py"], built) == ["python", *expected]
    # A signed file that is called like an option is run as a file.
    assert resolve(["python", "-c", "code"], built) == ["python", str(paths.train / "-c"), "code"]
    assert resolve(["run.sh"], built) == [str(paths.train / "run.sh")]
    os.chdir(paths.train / "lib")
    assert resolve(["python", "../train.py"], built) == ["python", *expected]
    os.chdir(paths.root / "elsewhere")
    with pytest.raises(IntegrityError):
        resolve(["python", "train.py"], built)


def test_a_link_to_a_signed_file_runs_that_file(built: tuple[VerifiedTrain, Paths]) -> None:
    _, paths = built
    link = str(paths.root / "elsewhere" / "link.py")
    assert resolve(["python", link], built) == ["python", link]


def test_links_in_a_circle(built: tuple[VerifiedTrain, Paths], tmp_path: Path) -> None:
    circle = tmp_path / "python"
    circle.symlink_to(circle)
    command = [str(circle), "/opt/pht_train/train.py"]
    # That it cannot be executed is found out when it is started.
    assert resolve(command, built)[0] == str(circle)
    with pytest.raises(IntegrityError):
        resolve(["python", str(circle)], built)


CARRIED = (
    *("pht_train/python3", "pht_results/bin/python3", "pht_results.pht/plain/large/python3"),
    *("pht_train.pht/python3", "pht_results_too/python3", "train_data/python3"),
)
"""Below `/opt`: the train's own paths, what may lie beside them, and what is computed on."""

PROVIDED = ("conda/bin/python3", "R/4.4.1/bin/python3", "python3", "train/python3")
"""Below `/opt`, where base images have interpreters too."""


@pytest.fixture
def place(built: tuple[VerifiedTrain, Paths]) -> Iterator[Callable[[str], Path]]:
    """A function that makes a program below `/opt`."""
    made: list[Path] = []

    def make(name: str) -> Path:
        program = built[1].opt / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
        made.append(program)
        return program

    yield make
    for program in made:
        program.unlink(missing_ok=True)


def is_accepted(
    interpreter: Path, built: tuple[VerifiedTrain, Paths], *, search: bool = False
) -> bool:
    """Return whether an interpreter may run, named by its path or found in PATH."""
    word = interpreter.name if search else str(interpreter)
    path = f"{interpreter.parent}:/usr/bin" if search else "/usr/bin"
    try:
        resolve([word, "/opt/pht_train/train.py"], built, path=path)
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("name", CARRIED)
def test_an_interpreter_that_comes_with_the_train_is_refused(
    name: str, search: bool, built: tuple[VerifiedTrain, Paths], place: Callable[[str], Path]
) -> None:
    assert not is_accepted(place(name), built, search=search)


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("name", PROVIDED)
def test_an_interpreter_of_the_image_may_lie_beside_the_train(
    name: str, search: bool, built: tuple[VerifiedTrain, Paths], place: Callable[[str], Path]
) -> None:
    assert is_accepted(place(name), built, search=search)


@pytest.mark.parametrize("name", CARRIED)
def test_an_interpreter_by_a_link_into_the_train_is_refused(
    name: str, built: tuple[VerifiedTrain, Paths], place: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "python3").symlink_to(place(name))
    assert not is_accepted(tmp_path / "python3", built)
    (tmp_path / "bin").symlink_to(place(name).parent)
    assert not is_accepted(tmp_path / "bin" / "python3", built)


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_of_the_train_to_an_interpreter_is_refused(
    relative: bool, built: tuple[VerifiedTrain, Paths], tmp_path: Path
) -> None:
    results, outside = built[1].results, tmp_path / "bin"
    outside.mkdir()
    (outside / "python3").touch(mode=0o755)
    target = os.path.relpath(outside, results) if relative else outside
    (results / "links").symlink_to(target)
    (tmp_path / "python3").symlink_to(results / "links" / "python3")
    try:
        assert is_accepted(outside / "python3", built)
        assert not is_accepted(results / "links" / "python3", built)
        assert not is_accepted(tmp_path / "python3", built)
        assert not is_accepted(Path(f"/proc/self/root{results}/links/python3"), built)
        os.chdir(results)
        assert not is_accepted(Path("links/../bin/python3"), built)
    finally:
        (results / "links").unlink()


def test_an_interpreter_that_is_not_there_is_left_to_fail(
    built: tuple[VerifiedTrain, Paths], tmp_path: Path
) -> None:
    assert shutil.which("python3.999") is None
    resolved = resolve(["python3", "/opt/pht_train/train.py"], built, path=str(tmp_path))
    assert resolved[0] == "python3"


def test_where_a_signed_file_may_be_named_any_command_still_finds_it_below_the_root(
    built: tuple[VerifiedTrain, Paths],
) -> None:
    _, paths = built
    resolved = resolve(["python", "/opt/pht_train/train.py"], built, any_command=True)
    assert resolved == ["python", str(paths.train / "train.py")]
