"""`examples/apptainer`: its lines, as a user without rights, with a stand-in for Apptainer."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import reference
from tests.containers.images import masters_of
from tests.containers.site import Arrive, Site
from tests.containers.visitor import COUNTS, FIRST, SECOND
from tests.docs.pages import block_with, blocks
from tests.recipes import apptainer
from tests.recipes.proxies import PASSWORD, configure_proxies
from tests.recipes.trains import (
    FAILS,
    LARGE_BYTES,
    PATIENCE_S,
    SEALS_LONG,
    STAYS,
    visit_by_script,
)
from tests.station import (
    PYTHON,
    REPOSITORY,
    Done,
    assert_explained,
    opened,
    settle,
    snapshot,
    unpack,
    wait_until,
)
from tests.unprotected import WITHOUT_LANDLOCK

README = REPOSITORY / "examples" / "apptainer" / "README.md"
VALIDATE, PREPARE, VISIT, HAND_OVER = blocks("apptainer", pages=(README,))
WITHOUT_PROXIES = block_with("without_proxies() (")
USER = 1000
LOSES_LANDLOCK = (
    "import os, sys; from entrypoint.process import seccomp; from entrypoint.linux import prctl; "
    "prctl.prctl(prctl.PR_SET_NO_NEW_PRIVS, 1); "
    f'seccomp.install(bytes.fromhex("{WITHOUT_LANDLOCK.hex()}")); '
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""A program that starts another, for which the kernel has no Landlock."""

PROGRAM = """\
#!/bin/sh
PYTHONPATH={folder} exec {python} {program} "$@"
"""


@dataclass(frozen=True)
class Cluster:
    """The account of a user of a cluster, in whose folder a train has arrived."""

    site: Site
    folder: Path
    environment: dict[str, str]

    def begin(self, commands: str) -> "subprocess.Popen[bytes]":
        """Start a block as the user, with the rights to mount that Apptainer's program has."""
        rights = "+sys_admin,+dac_override" if "--writable" in commands else "+sys_admin"
        to_mount = ["--inh-caps", rights, "--ambient-caps", rights]
        become = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
        return subprocess.Popen(
            [*become, *to_mount, "sh", "-euc", commands],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, commands: str) -> Done:
        return ended(self.begin(commands))

    @property
    def opt(self) -> Path:
        return self.folder / "train"

    def exported(self, name: str) -> Path:
        """Return the train of the exported tar, unpacked."""
        return unpack(self.folder / "out" / "train.tar", self.folder / name)


def is_sealing(root: Path) -> bool:
    """Return whether a visit with this folder as /opt is at sealing."""
    try:
        return reference.phase(root) == "sealing"
    except (OSError, ValueError):
        return False


def ended(process: "subprocess.Popen[bytes]") -> Done:
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return Done(process.returncode, stdout, stderr.decode())


MakeCluster = Callable[[str], Cluster]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user can enter, with the programs `pht` and `apptainer`.

    They are copies, since a clone may lie in root's home.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user who may mount")
    with tempfile.TemporaryDirectory(prefix="pht-") as name:
        made = Path(name)
        shutil.copytree(REPOSITORY / "entrypoint", made / "code" / "entrypoint")
        shutil.copy(apptainer.__file__, made / "code")
        (made / "programs").mkdir()
        programs = {"pht": "-m entrypoint", "apptainer": f"{made}/code/apptainer.py"}
        for name, program in programs.items():
            text = PROGRAM.format(folder=made / "code", python=PYTHON, program=program)
            (made / "programs" / name).write_text(text)
            (made / "programs" / name).chmod(0o755)
        yield made


@pytest.fixture
def cluster(arrive: Arrive, runner_image: str, folder: Path) -> MakeCluster:
    """A function that lets a train arrive, and prepares its visit as the recipe says."""

    def make(script: str) -> Cluster:
        site = arrive(script)
        settle(folder, FIRST)
        station = folder / "run" / "pht"
        (station / "masters.json").write_bytes(masters_of(site.engine, runner_image))
        for tag in ("base", "latest"):
            saved = site.engine.must("save", f"{site.repository}:{tag}")
            (folder / f"{tag}.tar").write_bytes(saved)
        (folder / "data").mkdir()
        (folder / "data" / "patients.csv").write_text("1\n")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
        environment = {
            "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "code"),
            "TMPDIR": str(folder),
            "STATION": str(station),
            "DATA": str(folder / "data"),
            "PHT_NONSENSE": "a variable of the user that no container gets",
        }
        cluster = Cluster(site, folder, environment)
        prepared = cluster.run(VALIDATE + PREPARE)
        assert prepared.status == 0, prepared.stderr
        assert prepared.stdout.count(b"verdict: accepted") == 2
        return cluster

    return make


def hand_over(cluster: Cluster) -> None:
    """Run the last block, where there is an engine whose client has proxies."""
    site = cluster.site
    commands = WITHOUT_PROXIES + HAND_OVER.replace("next", f"next-{site.engine.session}")
    variables = {"base": site.ids()[0], "REPOSITORY": site.repository, "PATH": os.environ["PATH"]}
    client = {"DOCKER_HOST": site.engine.address(), **configure_proxies(cluster.folder)}
    environment = {**variables, **client}
    subprocess.run(
        ["sh", "-euc", commands],
        cwd=cluster.folder,
        env=environment,
        check=True,
        timeout=PATIENCE_S,
    )


def test_a_visit_is_handed_over_to_a_station_with_docker(
    cluster: MakeCluster, tmp_path: Path
) -> None:
    visiting = cluster(COUNTS)

    done = visiting.run(VISIT)

    assert done.status == 0, done.stderr
    facts = {name: done.facts[name] for name in ("result", "network", "layers")}
    assert facts == {
        "result": "visited",
        "network": "none",
        "layers": "caps,landlock,seccomp,key-absent",
    }
    assert opened(visiting.exported("exported")) == {"visits": b"1"}
    hand_over(visiting)
    sent = visiting.site.engine.must("save", f"{visiting.site.repository}:latest")
    assert PASSWORD.encode() not in sent
    assert visit_by_script(visiting.site, at=SECOND).status == 0
    opt = visiting.site.image("latest").take(tmp_path / "after")
    assert opened(opt) == {"visits": b"2"}
    assert reference.verify_chain(reference.load_config(opt)) == [FIRST, SECOND]


def test_the_folder_of_another_train_is_not_used(cluster: MakeCluster) -> None:
    done = cluster(COUNTS).run(PREPARE)

    assert done.status == 1
    assert re.search("mkdir: .*train.: File exists", done.stderr)


@pytest.mark.engines
def test_a_train_that_fails_is_put_back(cluster: MakeCluster) -> None:
    visiting = cluster(FAILS)
    before = snapshot(visiting.opt)

    done = visiting.run(VISIT)

    assert (done.status, done.facts["result"]) == (3, "train-failed"), done.stderr
    assert snapshot(visiting.opt) == before


@pytest.mark.engines
def test_a_visit_that_is_stopped_is_taken_back(cluster: MakeCluster) -> None:
    visiting = cluster(STAYS)
    before = snapshot(visiting.opt)
    process = visiting.begin("exec " + VISIT.lstrip())
    assert process.stdout is not None
    assert process.stdout.readline() == b"aboard\n"

    process.send_signal(signal.SIGTERM)

    done = ended(process)
    assert (done.status, done.facts["result"]) == (143, "stopped"), done.stderr
    assert snapshot(visiting.opt) == before


@pytest.mark.engines
def test_a_visit_killed_while_sealing_is_finished_by_the_same_line(cluster: MakeCluster) -> None:
    visiting = cluster(SEALS_LONG)
    process = visiting.begin("exec " + VISIT.lstrip())
    wait_until(lambda: is_sealing(visiting.folder / "train"), PATIENCE_S)
    os.killpg(process.pid, signal.SIGKILL)
    assert ended(process).status == -signal.SIGKILL

    done = visiting.run(VISIT)

    assert (done.status, done.stdout) == (0, b""), done.stderr
    results = opened(visiting.exported("exported"))
    assert results.pop("visits") == b"1"
    assert {len(content) for content in results.values()} == {LARGE_BYTES}


def test_a_train_in_memory_is_refused_before_it_is_opened(cluster: MakeCluster) -> None:
    in_memory = VISIT.replace("$PWD/train:/opt,", "").replace("--net ", "--net --writable-tmpfs ")

    done = cluster(COUNTS).run(in_memory.replace("/opt/train_data", "/data"))

    assert_explained(done, 78, "place-unsuitable")
    assert "vanishes with the container" in done.stderr
    assert done.facts["state"] == "unchanged"


def test_without_landlock_nothing_hides_the_key(cluster: MakeCluster) -> None:
    visiting = cluster(COUNTS)
    commands = f"exec {PYTHON} -c '{LOSES_LANDLOCK}' " + VISIT.lstrip()

    done = visiting.run(commands)

    assert_explained(done, 78, "key-reachable")
