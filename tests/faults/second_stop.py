"""A train at its second stop, and what the disk may hold after its visit was interrupted.

The train carries results that the first stop has sealed. The second stop changes, deletes and adds
files, and its command counts how often it has succeeded, outside of the train. One of the route
generation has its definition sealed too.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest

from entrypoint.cli import main
from tests import reference, reference_route
from tests.faults.strace import Call
from tests.reference import ResultFile
from tests.station import (
    BUILDER_KEY,
    REPOSITORY,
    USER_KEY,
    Done,
    Snapshot,
    finish,
    settle,
    snapshot,
)

FIRST, SECOND = reference.STATIONS[:2]
MARK = b"PLAIN TEXT"
"""A text in every file that the train writes, and in no ciphertext: a token has no space."""

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")
ENTRYPOINT = f"""\
set -eu
cd "$PHT_RESULTS_DIR"
echo '{MARK.decode()}, second stop' >> counts.csv
rm dropped.csv
chmod 600 notes/shared.txt
mkdir -p added/deep
echo '{MARK.decode()}' > added/deep/model.json
ln added/deep/model.json added/same.json
ln -s ../counts.csv added/link
: > added/empty
[ -z "${{PAUSE-}}" ] || {{ : > "$PAUSE"; exec sleep 60; }}
echo once >> "$RUNS"
[ -z "${{FILL-}}" ] || cat /dev/zero > "$FILL" 2> /dev/null || true
"""
FOUR_NAMES = ["pht_results", "pht_train", "train_config.json", "user_sym_key.key"]
OWNER = (1234, 1235)
"""User and group of all results, if the tester may give them away."""
ALREADY_DONE = 76
"""The exit status of half a visit that finds its work done (wrong-half)."""
ALREADY_VISITED = 79
"""The exit status of a visit that finds its work done."""


@dataclass(frozen=True)
class SecondStop:
    """One train, in a folder of its own, and the two states between which it may not stay.

    Attributes:
        folder: holds the runner's `root`, and `outside`.
        old: what `opt` holds before the visit.
        new: the plaintext results after it.
        has_route: whether it is of the route generation.
        fills: whether it fills its disk when it has succeeded.
        pauses: whether it waits in the end, as a single process, and does not succeed.
    """

    folder: Path
    old: Snapshot
    new: Snapshot
    has_route: bool = False
    fills: bool = False
    pauses: bool = False

    @property
    def root(self) -> Path:
        """The folder for the option --root."""
        return self.folder / "root"

    @property
    def opt(self) -> Path:
        """The folder of the train."""
        return self.root / "opt"

    @property
    def outside(self) -> Path:
        """The folder outside of itself that the train may write to."""
        return self.folder / "outside"

    @property
    def runs(self) -> int:
        """The number of times that the train has succeeded."""
        return len((self.outside / "runs").read_text().splitlines())

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the runner."""
        places = {"RUNS": self.outside / "runs"}
        if self.fills:
            places["FILL"] = self.outside / "fill"
        if self.pauses:
            places["PAUSE"] = self.outside / "pause"
        return {"PATH": os.environ["PATH"], **{name: str(path) for name, path in places.items()}}

    def with_room(self) -> "SecondStop":
        """Free the space that the train has filled; return a train that fills none."""
        (self.outside / "fill").unlink(missing_ok=True)
        return replace(self, fills=False)

    def copy_to(self, folder: Path) -> "SecondStop":
        """Copy the train to a new folder, hard links as hard links, and return the copy."""
        subprocess.run(["cp", "--archive", self.folder, folder], check=True)
        return replace(self, folder=folder)

    def start(
        self,
        command: str,
        *,
        under: Sequence[str] = (),
        parts: Mapping[int, Sequence[str]] | None = None,
    ) -> Done:
        """Run a command of the runner to its end; see `begin`."""
        done = finish(self.begin(command, under=under, parts=parts))
        assert "Traceback" not in done.stderr
        return done

    def begin(
        self,
        command: str,
        *,
        under: Sequence[str] = (),
        parts: Mapping[int, Sequence[str]] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start the runner as a process of its own.

        Args:
            command: of the runner.
            under: a tool, with its options, that starts it.
            parts: tools that trace parts of the visit; see `traced_parts`.
        """
        module = ["tests.faults.traced_parts", json.dumps(parts)] if parts else ["entrypoint"]
        runner = [sys.executable, "-B", "-m", *module, command, "--root", str(self.root)]
        return subprocess.Popen(
            [*under, *runner, *(["--", *COMMAND] if command == "run" else [])],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run_by_hand(self) -> None:
        """Run the train's command without the runner, as an operator does after pre-run."""
        _run_train(self.opt / "pht_results", self.environment)
        _give_away(self.opt / "pht_results")

    def state(self) -> str:
        """Return what the disk holds: `old`, `new`, or the phase of an unfinished visit.

        Anything else fails the test: a mix, plaintext beside a configuration that looks finished,
        an unfinished one that a reader takes.
        """
        config = json.loads((self.opt / "train_config.json").read_bytes())
        if "pht_unfinished" in config:
            self._require_refusal_by_every_reader()
            return str(config["pht_visit"]["phase"])
        present = snapshot(self.opt)
        assert not _plaintext(present, but="" if self.has_route else "pht_train/")
        if config == json.loads(self.old["train_config.json"].content):
            assert {path: present.get(path) for path in self.old} == self.old
            assert self.ask("check") == 0
            return "old"
        self._require_new_state()
        return "new"

    def finish(self, state: str) -> None:
        """Start the visit, interrupted in `state`, again: it ends as if nothing had happened.

        A train that has succeeded once does not run again.
        """
        runs = self.runs
        done = self.start("run")
        assert done.status == (ALREADY_VISITED if state == "new" else 0), done.stderr
        assert self.runs - runs == (0 if state in ("succeeded", "sealing", "new") else 1)
        self.require_end()

    def require_end(self) -> None:
        """Check that the visit is complete, like one without a fault, and nothing else is left."""
        assert self.state() == "new"
        assert sorted(os.listdir(self.opt)) == FOUR_NAMES

    def require_beginning(self) -> None:
        """Check that everything is as before the visit."""
        assert snapshot(self.opt) == self.old

    def ask(self, *command: str) -> int:
        """Return the exit status of a command that only reads, run in this process for speed."""
        with patch.dict(os.environ, self.environment, clear=True):
            return main.main([command[0], "--root", str(self.root), *command[1:]])

    def _require_refusal_by_every_reader(self) -> None:
        assert self.ask("check") == 76
        assert self.ask("inspect") == 65
        with TemporaryDirectory() as place:  # on a disk that this train has not filled
            assert self.ask("export", "--output", f"{place}/export.tar") == 65
            assert os.listdir(place) == []
        with pytest.raises(KeyError):  # a field that every published reader needs is not there
            self._results(USER_KEY)

    def _require_new_state(self) -> None:
        config = reference.load_config(self.opt)
        first_key = reference.vector_key(FIRST, private=True)
        if self.has_route:
            reference_route.decrypt_definition(self.opt, first_key, FIRST)
            assert reference_route.verify_chain(config) == [FIRST, SECOND]
        else:
            reference.verify_definition(config, self.opt / "pht_train")
            assert reference.verify_chain(config) == [FIRST, SECOND]
        files = self._results(USER_KEY)
        assert files == self._results(first_key, FIRST)
        present = snapshot(self.opt / "pht_results")
        for path, (content, _) in files.items():
            present[path] = present[path]._replace(content=content)
        assert present == self.new
        assert _modes_and_owners(snapshot(self.opt)) == _modes_and_owners(self.old)
        assert self.ask("check") == 0

    def _results(self, key: bytes, station: str | None = None) -> dict[str, ResultFile]:
        if self.has_route:
            return reference_route.decrypt_results(self.opt, key, station)
        return reference.decrypt_results(self.opt, key, station)


def build(folder: Path, *, has_route: bool = False) -> SecondStop:
    """Lay out the train after its first stop, sealed as a published station does."""
    root, plain = folder / "root", folder / "plain"
    files = {"entrypoint.sh": ENTRYPOINT.encode(), "query.json": b"{}"}
    stations = {station: reference.vector_key(station) for station in (FIRST, SECOND)}
    first_key = reference.vector_key(FIRST, private=True)
    if has_route:
        files["model.bin"] = MARK * 150_000  # more than one chunk
        opt = reference_route.build_initial(root, files, USER_KEY, BUILDER_KEY, stations)
        reference_route.published_pre_run(opt, FIRST, first_key)
    else:
        opt = reference.build_initial(root, files, USER_KEY, stations)
    _write_first_results(opt / "pht_results")
    subprocess.run(["cp", "--archive", opt / "pht_results", plain], check=True)
    (reference_route if has_route else reference).published_post_run(opt, FIRST, first_key)
    settle(root, SECOND)
    for path in (opt, opt / "pht_train", opt / "pht_train" / "query.json"):
        path.chmod(0o777)  # which no train with a user of its own may use
    _give_away(opt / "pht_results")
    old = snapshot(opt)
    _run_train(plain, {"PATH": os.environ["PATH"], "RUNS": os.devnull})
    _give_away(plain)
    train = SecondStop(folder, old, _without_hard_links(snapshot(plain)), has_route)
    train.outside.mkdir()
    train.outside.chmod(0o777)
    (train.outside / "runs").touch()
    (train.outside / "runs").chmod(0o666)
    return train


def ends_of_phases(calls: list[Call]) -> list[int]:
    """Return the positions of the renames that change the configuration, where phases end."""
    return [
        position
        for position, call in enumerate(calls)
        if call.change == "rename" and re.search(r'train_config\.json"(, 0)?$', call.text)
    ]


def _write_first_results(results: Path) -> None:
    (results / "notes").mkdir()
    (results / "folder").mkdir(mode=0o750)
    contents = {
        "counts.csv": MARK + b", first stop\n",
        "dropped.csv": MARK,
        "notes/shared.txt": MARK,
        "notes/ü.txt": MARK * 3,
        "empty": b"",
        "table.bin": MARK * 150_000,  # more than one chunk
        "tool.sh": MARK,
    }
    for path, content in contents.items():
        (results / path).write_bytes(content)
    (results / "tool.sh").chmod(0o750)
    (results / "link").symlink_to("notes/shared.txt")


def _run_train(results: Path, environment: Mapping[str, str]) -> None:
    environment = {**environment, "PHT_RESULTS_DIR": str(results)}
    subprocess.run(["sh", "-c", ENTRYPOINT], env=environment, check=True)


def _give_away(results: Path) -> None:
    if os.geteuid() == 0:
        for path in (results, *results.rglob("*")):
            os.lchown(path, *OWNER)


def _plaintext(tree: Snapshot, *, but: str) -> list[str]:
    """Return where plaintext lies, `but` below one folder if it is named."""
    return [
        path
        for path, node in tree.items()
        if isinstance(node.content, bytes)
        and MARK in node.content
        and not (but and path.startswith(but))
    ]


def _modes_and_owners(tree: Snapshot) -> dict[str, tuple[int, tuple[int, int]]]:
    """Return those of everything that a visit does not make anew."""
    return {
        path: (node.mode, node.owner)
        for path, node in tree.items()
        if not path.startswith(("pht_results/", "user_sym_key.key"))
    }


def _without_hard_links(tree: Snapshot) -> Snapshot:
    """Return a tree in which hard links are separate files, as after sealing."""
    return {path: node._replace(first_name=path) for path, node in tree.items()}
