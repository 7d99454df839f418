"""The OpenSSL of the runner reads nothing that a train or an image could have put there.

A configuration can name libraries, which are loaded into the process that holds the key.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import cryptography
import pytest
from cryptography.hazmat.bindings.openssl.binding import Binding

from tests.bench.trains import Runner
from tests.faults.strace import Strace, Unavailable
from tests.station import PATIENCE_S, REPOSITORY, new_train, opened, settle, visit

[LIBRARY] = Path(cryptography.__file__).parent.glob("hazmat/bindings/_rust*.so")
"""The library that holds OpenSSL."""
OPENSSL_DIR, OPENSSL_MODULES_DIR = 4, 8
"""Arguments of OpenSSL_version(3)."""
WORD = re.compile(rb"(?<=\0)[A-Z_][A-Z0-9_]{2,40}(?=\0)")
WAYS_IN = ["as a module", "as a program", "as in an image"]


def built_with() -> list[str]:
    """Return the built-in paths of OpenSSL for its configuration and for modules."""
    binding = Binding()
    told = [binding.lib.OpenSSL_version(what) for what in (OPENSSL_DIR, OPENSSL_MODULES_DIR)]
    lines = [binding.ffi.string(line).decode() for line in told]
    folders = [re.fullmatch(r'\w+: "(/.*)"', line) for line in lines]
    assert all(folders)
    return [folder[1] for folder in folders if folder]


def planted() -> dict[str, str]:
    """Return a path for every word in the library that may be the name of a variable."""
    words = {word.decode() for word in WORD.findall(LIBRARY.read_bytes())}
    assert words >= {"OPENSSL_CONF", "OPENSSL_MODULES"}
    return {word: f"/planted/{word}" for word in words}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train that has arrived at its first station."""
    root = tmp_path_factory.mktemp("root")
    new_train(root, "")
    settle(root, "station_1")
    return root


def check_command(way_in: str, root: Path, folder: Path) -> list[str]:
    """Return the command line of `check`, which reads the station's key, in one of the ways."""
    if way_in == "as in an image":
        return Runner(folder).command("check", root)
    module, program = [sys.executable, "-m", "entrypoint"], [f"{sys.prefix}/bin/pht"]
    return [*(module if way_in == "as a module" else program), "check", "--root", str(root)]


@pytest.mark.parametrize("variables", [{}, planted()], ids=["as built", "with its variables"])
@pytest.mark.parametrize("way_in", WAYS_IN)
def test_no_configuration_is_looked_for(
    way_in: str, variables: dict[str, str], root: Path, tmp_path: Path
) -> None:
    try:
        strace = Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))
    log = tmp_path / "calls"
    command = check_command(way_in, root, tmp_path)
    subprocess.run(
        [strace.program, "--follow-forks", "--trace=%file", "--output", log, *command],
        cwd=REPOSITORY,
        env={**variables, "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    calls = log.read_text()
    assert f'{LIBRARY.name}"' in calls
    assert [place for place in (*built_with(), "/planted/") if f'"{place}' in calls] == []


def test_the_train_has_the_variables_that_the_runner_was_given(tmp_path: Path) -> None:
    script = """\
import os, pathlib
names = sorted(name for name in os.environ if name.startswith("OPENSSL"))
told = "".join(f"{name}={os.environ[name]}\\n" for name in names)
pathlib.Path(os.environ["PHT_RESULTS_DIR"], "told").write_text(told)
"""
    new_train(tmp_path, script)
    settle(tmp_path, "station_1", OPENSSL_MODULES="/of/the/station")
    assert visit(tmp_path, env={"OPENSSL_CONF": "/of/the/train"}).status == 0
    told = b"OPENSSL_CONF=/of/the/train\nOPENSSL_MODULES=/of/the/station\n"
    assert opened(tmp_path / "opt") == {"told": told}


def test_a_variable_that_is_emptied_does_not_reach_the_train(tmp_path: Path) -> None:
    names = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "PYTHONEXECUTABLE"]
    names += ["__PYVENV_LAUNCHER__", "OPENSSL_CONF", "OPENSSL_MODULES"]
    script = f"import os, sys\nsys.exit(any(name in os.environ for name in {names}))"
    new_train(tmp_path, script)
    settle(tmp_path, "station_1")
    assert visit(tmp_path, env=dict.fromkeys(names, "")).status == 0
