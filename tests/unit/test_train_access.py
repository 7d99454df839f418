"""The files that a train may reach, in real processes that the rules restrict."""

import dataclasses
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from entrypoint.settings.load import load
from entrypoint.settings.settings import Settings
from entrypoint.visit import train_access
from entrypoint.visit.train_access import access_rules
from tests.landlocked import need_landlock, outcomes
from tests.mount_namespace import REPOSITORY

HIDDEN = [
    "run/pht/private_key.pem",
    "run/pht/station.env",
    "run/secrets/rsa_station_private_key",
    "var/lib/pht/ledger",
    "opt/pht_results.pht/backup",
    "opt/pht_train.pht/plain/small.pack",
    "opt/train_config.json.pht",
    "opt/user_sym_key.key.pht",
]
SHOWN = [
    "run/secrets/password of a database",
    "var/lib/data",
    "opt/base",
    "opt/train_config.json",
    "opt/user_sym_key.key",
    "opt/train_data/table.csv",
    "keys/other",
]
WRITABLE = ["opt/pht_results/old", "opt/pht_train/signed", "scratch/tmp/file"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a station and its train, with a file at each path."""
    need_landlock()
    for name in (*HIDDEN, *SHOWN, *WRITABLE, "keys/key.pem"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "run/pht/station.env").write_bytes(b"")
    (tmp_path / "var/lib/pht").chmod(0o700)
    return tmp_path


def settings(root: Path, **variables: str) -> Settings:
    return load(root, variables)


def ends_of(
    attempt: Callable[[Path], object],
    names: list[str],
    found: Settings,
    *,
    key_hidden: bool = True,
) -> set[str]:
    """Return how an attempt at each of these paths ends for a train."""
    root = found.paths.root
    rules = access_rules(found, scratch=root / "scratch", key_hidden=key_hidden)
    return set(outcomes({name: partial(attempt, root / name) for name in names}, rules).values())


def append(path: Path) -> None:
    path.open("ab").close()


def make_beside(path: Path) -> None:
    (path.parent / "made by the train").touch()


def make_and_remove(folder: Path) -> None:
    made = folder / f"pht-test-{os.getpid()}"
    made.mkdir()
    made.rmdir()


# Reading


def test_files_of_the_station_and_of_the_visit_are_hidden(root: Path) -> None:
    for attempt in (Path.read_bytes, append):
        assert ends_of(attempt, HIDDEN, settings(root)) == {"EACCES"}
    everything = {name: (root / name).read_bytes for name in HIDDEN}
    assert set(outcomes(everything, None).values()) == {"done"}


def test_everything_else_can_be_read(root: Path) -> None:
    files = [*SHOWN, *WRITABLE, "/etc/passwd", "/proc/self/status", "/proc/1/cmdline"]
    assert ends_of(Path.read_bytes, files, settings(root)) == {"done"}
    folders = [".", "opt", "run", "run/secrets", "/", "/usr", "/sys", "/dev", "/proc/self/fd"]
    assert ends_of(os.listdir, folders, settings(root)) == {"done"}


@pytest.mark.parametrize(
    "name", ["RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH", "PRIVATE_KEY_PASSWORD_FILE"]
)
def test_a_file_that_a_setting_names_is_hidden(name: str, root: Path) -> None:
    assert ends_of(Path.read_bytes, ["keys/key.pem"], settings(root)) == {"done"}
    found = settings(root, **{name: str(root / "keys/key.pem")})
    assert ends_of(Path.read_bytes, ["keys/key.pem"], found) == {"EACCES"}
    assert ends_of(Path.read_bytes, SHOWN, found) == {"done"}


def test_the_key_behind_links_is_hidden(root: Path) -> None:
    (root / "versions").symlink_to("keys")
    (root / "opt/key.pem").symlink_to("../versions/key.pem")
    names = ["keys/key.pem", "versions/key.pem", "opt/key.pem"]
    found = settings(root, PRIVATE_KEY_PATH=str(root / "opt/key.pem"))
    assert ends_of(Path.read_bytes, names, found) == {"EACCES"}


def test_a_file_in_the_place_of_a_link_to_the_key_is_hidden(root: Path) -> None:
    link = root / "scratch/key.pem"
    link.symlink_to("../keys/key.pem")
    rules = access_rules(settings(root, PRIVATE_KEY_PATH=str(link)), scratch=root / "absent")
    link.unlink()
    link.write_bytes(b"content")
    assert outcomes({"key": link.read_bytes}, rules) == {"key": "EACCES"}


def test_links_get_no_rule(root: Path) -> None:
    (root / "opt/link").symlink_to("train_config.json")
    rules = access_rules(settings(root), scratch=root / "scratch")
    assert not [rule for rule in rules if rule.path.is_symlink()]


def test_a_new_version_of_the_key_is_hidden(root: Path) -> None:
    found = settings(root, PRIVATE_KEY_PATH=str(root / "keys/key.pem"))
    rules = access_rules(found, scratch=root / "scratch")
    (root / "keys/new").write_bytes(b"content")
    (root / "keys/new").replace(root / "keys/key.pem")
    assert outcomes({"key": (root / "keys/key.pem").read_bytes}, rules) == {"key": "EACCES"}


def test_what_is_made_beside_the_train_later_is_hidden(root: Path) -> None:
    rules = access_rules(settings(root), scratch=root / "scratch")
    (root / "opt/new").write_bytes(b"content")
    assert outcomes({"new": (root / "opt/new").read_bytes}, rules) == {"new": "EACCES"}


# Writing


def test_results_and_own_folders_are_writable(root: Path) -> None:
    for attempt in (append, make_beside):
        assert ends_of(attempt, WRITABLE, settings(root)) == {"done"}


def test_folders_of_the_machine_are_writable(root: Path) -> None:
    assert ends_of(make_and_remove, ["/dev/shm", "/var/tmp"], settings(root)) == {"done"}
    assert ends_of(make_and_remove, ["/etc", "/usr", "/dev", "/run", "/"], settings(root)) == {
        "EACCES"
    }


def test_files_in_shared_memory_get_no_rules_of_their_own(root: Path) -> None:
    with NamedTemporaryFile(dir="/dev/shm") as file:
        paths = {rule.path for rule in access_rules(settings(root), scratch=root / "scratch")}
    assert Path(file.name).parent in paths
    assert Path(file.name) not in paths


def test_nothing_else_is_writable(root: Path) -> None:
    assert ends_of(append, SHOWN, settings(root)) == {"EACCES"}
    assert ends_of(make_beside, [*SHOWN, *HIDDEN, "x"], settings(root)) == {"EACCES"}


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero", "/dev/full"])
def test_standard_devices_are_writable(name: str, root: Path) -> None:
    assert ends_of(lambda device: device.open("wb").close(), [name], settings(root)) == {"done"}


def test_terminals_can_be_made_and_controlled(root: Path) -> None:
    def make_terminal(_: Path) -> None:
        master, slave = os.openpty()
        with open(os.ttyname(slave), "wb") as again:
            assert os.get_terminal_size(again.fileno()) == (0, 0)
        os.close(master)

    assert ends_of(make_terminal, ["."], settings(root)) == {"done"}


def test_a_folder_above_the_key_stays_readable_entry_by_entry(root: Path) -> None:
    key = settings(root, PRIVATE_KEY_PATH=str(root / "opt/pht_results/sub/key.pem"))
    for name in ("sub/key.pem", "sub/other"):
        path = root / "opt/pht_results" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"content")
    assert ends_of(append, ["opt/pht_results/sub/key.pem"], key) == {"EACCES"}
    assert ends_of(append, ["opt/pht_results/sub/other", "opt/pht_results/old"], key) == {"done"}
    assert ends_of(make_beside, ["opt/pht_results/sub/other"], key) == {"EACCES"}


def test_a_key_that_need_not_be_hidden(root: Path) -> None:
    rest = dataclasses.replace(settings(root), in_container=False)
    key = [name for name in HIDDEN if name.startswith("run/")]
    assert ends_of(Path.read_bytes, key, rest, key_hidden=False) == {"done"}


def test_temporary_folders_above_a_key_that_need_not_be_hidden(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_access, "_TEMPORARY", (root,))
    made = {"made here": (root / "made").touch}
    for key_hidden, outcome in [(True, "EACCES"), (False, "done")]:
        found = dataclasses.replace(settings(root), ledger=None)
        rules = access_rules(found, scratch=root / "scratch", key_hidden=key_hidden)
        assert outcomes(made, rules) == {"made here": outcome}


def test_temporary_folders_above_a_ledger_leave_it_hidden_in_any_case(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_access, "_TEMPORARY", (root,))
    for attempt in (Path.read_bytes, append):
        ends = ends_of(attempt, ["var/lib/pht/ledger"], settings(root), key_hidden=False)
        assert ends == {"EACCES"}


def test_temporary_folders_are_writable_around_the_program(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    for name in ("clone/entrypoint", "clone/others", "other"):
        (temporary / name).mkdir(parents=True)
    monkeypatch.setattr(train_access, "_TEMPORARY", (temporary,))
    monkeypatch.setattr(train_access, "_PROGRAM", (temporary / "clone/entrypoint",))
    folders = [str(temporary / name) for name in ("other", "clone/others", "clone/entrypoint")]
    found = [ends_of(make_and_remove, [folder], settings(root)) for folder in folders]
    assert found == [{"done"}, {"done"}, {"EACCES"}]


def test_a_link_of_the_image_that_leads_to_itself(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = root / "link"
    link.symlink_to("link")
    monkeypatch.setattr(train_access, "_TEMPORARY", (link,))
    assert ends_of(append, WRITABLE, settings(root)) == {"done"}


@pytest.mark.parametrize("target", ["/usr/share", sys.prefix, str(REPOSITORY), "run/pht", "/"])
def test_a_link_of_the_image_makes_nothing_writable(
    target: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = root / "link to a folder"
    link.symlink_to(root / target)
    monkeypatch.setattr(train_access, "_TEMPORARY", (link,))
    assert ends_of(make_and_remove, [target], settings(root)) == {"EACCES"}


OPEN_STREAMS = """
import sys
from pathlib import Path
from entrypoint.settings.load import load
from entrypoint.visit.train_access import access_rules
from tests.landlocked import outcomes
root, *paths = map(Path, sys.argv[1:])
rules = access_rules(load(root, {}), scratch=root / "scratch")
found = outcomes({str(path): lambda path=path: path.open("ab") for path in paths}, rules)
(root / "outcomes").write_text(" ".join(found.values()))
"""


def test_files_that_the_output_is_redirected_to_can_be_opened_again(root: Path) -> None:
    command = [sys.executable, "-c", OPEN_STREAMS, str(root), "/dev/stdout", "/dev/stderr"]
    with (root / "out").open("wb") as out:
        subprocess.run(command, cwd=REPOSITORY, stdout=out, stderr=subprocess.PIPE, check=True)
    assert (root / "outcomes").read_text() == "done done"


def test_processes_of_the_train_share_memory_and_sockets(root: Path) -> None:
    def share(_: Path) -> None:
        from multiprocessing import get_context, shared_memory

        memory = shared_memory.SharedMemory(create=True, size=mmap.PAGESIZE)
        with get_context("fork").Lock(), socket.socket(socket.AF_UNIX) as bound:
            os.chdir(root / "scratch/tmp")
            bound.bind("socket")
        memory.close()
        memory.unlink()

    assert ends_of(share, ["."], settings(root)) == {"done"}
