"""The backup in a work folder links large files where it can, and survives the train's chmod."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.files.tree import walk
from entrypoint.limits import SMALL_FILE_BYTES
from entrypoint.linux.capabilities import Capability
from entrypoint.recovery.work_folder import WorkFolder
from tests.other_user import needs_root, unprivileged
from tests.unfinished import KEY, OLD_CONFIG, begin, make_train, restart


@pytest.mark.parametrize(
    ("in_overlay", "capabilities", "linked"),
    [
        (False, {Capability.FOWNER}, ["0"]),
        (True, {Capability.FOWNER}, []),
        (False, set(), []),
    ],
    ids=["usual", "overlay", "no FOWNER"],
)
def test_large_files_are_linked_where_that_helps(
    in_overlay: bool,
    capabilities: set[Capability],
    linked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entrypoint.recovery.work_folder.is_in_overlay", lambda _: in_overlay)
    monkeypatch.setattr("entrypoint.recovery.work_folder.held", lambda: capabilities)
    work = WorkFolder(tmp_path / "tree")
    work.tree.mkdir()
    (work.tree / "large").write_bytes(bytes(SMALL_FILE_BYTES))
    (work.tree / "small").write_bytes(bytes(SMALL_FILE_BYTES - 1))
    work.make()

    with work.backing_up(KEY) as backup:
        for entry in walk(work.tree):
            with backup.add_streamed(entry, work.tree / entry.path) as contents:
                data = (work.tree / entry.path).read_bytes()
                if contents.copy:
                    contents.copy.write(data)
                contents.account(data)

    assert [path.name for path in work.linked.iterdir()] == linked
    with work.open_backup(backup.tag(), KEY) as found:
        assert found


@needs_root
def test_a_train_that_removes_permissions_does_not_keep_the_old_state() -> None:
    with TemporaryDirectory() as shared:  # where another user may go, unlike below `tmp_path`
        paths = make_train(Path(shared) / "root")
        Path(shared).chmod(0o755)
        with unprivileged(Path(shared)):
            state = begin(paths)
            for path in (state.results.backup, state.results.linked, state.results.path):
                path.chmod(0)

            assert state.go_back()

            assert restart(paths) == OLD_CONFIG
            assert (paths.results / "tool").read_bytes() == b"sealed tool"


@needs_root
def test_a_train_that_removes_permissions_can_be_sealed() -> None:
    with TemporaryDirectory() as shared:
        paths = make_train(Path(shared) / "root")
        Path(shared).chmod(0o755)
        with unprivileged(Path(shared)):
            state = begin(paths)
            state.results.linked.chmod(0)

            state.flush_results()

            assert state.results.backup_files() == 2
            assert state.results.backup_bytes() > 0
            state.remove_backups()
            assert list(state.results.path.iterdir()) == []
