"""The numbered steps of a visit, each as one method; `story.py` tells in which order they go."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

from entrypoint.crypto.envelopes import open_envelope, unwrap, wrap
from entrypoint.crypto.mac import journal_key
from entrypoint.errors import MalformedTrain, NoQuery, PhtError, SettingsError, StorageError
from entrypoint.files.attributes import Attributes
from entrypoint.files.pack import PackWriter
from entrypoint.files.tree import Kind, allocated_bytes, walk
from entrypoint.linux.access import (
    can_replace,
    irreplaceable,
    is_unmapped,
    not_given,
)
from entrypoint.linux.disk import free_bytes
from entrypoint.linux.mounts import is_mount_point, mount_of, mounts_below
from entrypoint.linux.remove import is_folder, remove_from
from entrypoint.linux.user import this_user
from entrypoint.model import QUERY
from entrypoint.process import child
from entrypoint.process.failure import TrainFailed
from entrypoint.process.oom import oom_kills
from entrypoint.process.stop import StopRequest
from entrypoint.protocol.decrypt import (
    Target,
    decrypt,
    decrypt_definition,
    publish,
    space_needed,
)
from entrypoint.protocol.seal import Signer, check_sealable, seal
from entrypoint.protocol.stages import Contents, OpenedTrain, VerifiedTrain
from entrypoint.protocol.verify import (
    changes,
    check_definition,
    check_own_entry,
    check_room,
    contents,
    has_visited,
    is_as_signed,
    unlisted,
    verify,
    verify_open,
)
from entrypoint.recovery.journal import Journal, Phase, SavedFile
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.report import Report
from entrypoint.settings.private_key import load_station_key
from entrypoint.settings.settings import Settings
from entrypoint.train_config import TrainConfig, read
from entrypoint.train_config.file import read_user_key
from entrypoint.visit.command import resolve_command
from entrypoint.visit.data import check_readable, is_empty_folder, unreadable_in
from entrypoint.visit.hidden_mounts import mount_named
from entrypoint.visit.room import check_room_to_seal, room_to_commit, room_to_seal

_STATES = {Phase.WAITING: "waiting", Phase.SPENT: "spent"}
"""What the status line calls a phase; all others are `unfinished`."""

_NAMED_FILES = 10
"""At most so many removed files are named, in lines; a train may have left any number."""


class KeylessSteps:
    """The steps that need no key: what was signed (1 and 2), and the train's command (6).

    Attributes:
        stage: where the visit is, for the status line.
        state: what the disk holds, for the status line: `unchanged`, `waiting`, `unfinished`,
            `spent`, `sealed` or `unsealed`.
    """

    def __init__(self, settings: Settings, report: Report, stop: StopRequest) -> None:
        self.stage = "start"
        self.state = "unchanged"
        self._settings = settings
        self._paths = settings.paths
        self._report = report
        self._stop = stop
        # The newest change in pht_train before the train ran; None in a post-run.
        self._changed_before_run: int | None = None

    def verify_open(self, config: TrainConfig) -> VerifiedTrain:
        """Steps 1 and 2 where the definition lies in plaintext."""
        self.stage = "verify"
        with mount_named(self._paths, self._paths.train):
            train = verify_open(config, self._paths.train, self._stop.check)
        return self._verified(train)

    def _verified(self, train: VerifiedTrain) -> VerifiedTrain:
        files, visits = len(train.config.files), len(train.config.visits)
        self._report.info(f"step 1: {files} immutable files are what the user signed")
        self._report.info(f"step 2: the chain of {visits} station signatures is valid")
        return train

    def resolve(self, command: Sequence[str], train: VerifiedTrain) -> list[str]:
        """Return the command to run if it runs a signed file."""
        if self._settings.any_command:
            self._report.warning("PHT_COMMAND=any: the command need not run a signed file")
        return resolve_command(
            command,
            train,
            self._paths,
            any_command=self._settings.any_command,
            environment=self._settings.values,
        )

    def check_data(self) -> None:
        """Refuse data that the train could not read, before anything of it is decrypted."""
        data = self._settings.values.get("TRAIN_DATA_PATH")
        if data is None:
            return
        check_readable(data)
        if path := unreadable_in(Path(data)):  # which need not be for this train
            self._report.warning(
                f"the train runs as {this_user()}, gid {os.getgid()}, and cannot read {path}: "
                "give it access on the host if this is to be read"
            )
        if is_empty_folder(Path(data)):
            self._report.warning(
                f"TRAIN_DATA_PATH leads to an empty folder, {data}: Docker makes one "
                "where --volume has a source that does not exist; check the source"
            )

    def run_train(self, argv: Sequence[str]) -> None:
        """Step 6; raises TrainFailed unless the command ends with status 0."""
        self.stage = "command"
        self._report.info("step 6: the train runs")
        self._changed_before_run = _last_change(self._paths.train)
        kills = self._oom_kills()
        env, timeout = self._settings.train_environment(), self._settings.timeout
        try:
            ended = child.run(argv, env=env, timeout=timeout, stop=self._stop)
        finally:
            self._report.train_ended()
        if ended.status != 0:
            now = self._oom_kills()
            out_of_memory = None if kills is None or now is None else now > kills
            raise TrainFailed(ended, argv, env, timeout=timeout, out_of_memory=out_of_memory)

    def _oom_kills(self) -> int | None:
        """Return what the kernel counts in this container; elsewhere the group has others too."""
        return oom_kills() if self._settings.in_container else None

    def remove_unlisted(self, config: TrainConfig, leave_out: str = "") -> None:
        """Leave nothing in `pht_train` but the signed files and `leave_out`, and say so."""
        if not is_folder(self._paths.train):
            return
        removed = unlisted(config, self._paths.train, leave_out)
        remove_from(self._paths.train, removed)
        for path in removed[:_NAMED_FILES]:
            self._report.info(f"removed pht_train/{path}, which nobody signed")
        if len(removed) > _NAMED_FILES:
            self._report.info(
                f"removed {len(removed) - _NAMED_FILES} more unsigned files of pht_train"
            )

    def check_definition_left(self, config: TrainConfig, leave_out: str = "") -> None:
        """Remove what the train has left beside its signed files; refuse if it changed those."""
        self.remove_unlisted(config, leave_out)
        train = self._paths.train
        if train.is_symlink() or not is_as_signed(config, train, leave_out, self._stop.check):
            raise MalformedTrain(
                "train-changed-itself",
                "the train has changed the files that the user signed",
                hint="a train writes into pht_results only; change it and start from the image",
                problems=self._changes(config, leave_out),
            )

    def _changes(self, config: TrainConfig, leave_out: str) -> list[str]:
        """Return which of its signed files the train has changed, as far as anything tells."""
        train = self._paths.train
        if not is_folder(train):
            return [f"{train.name} is no folder any more"]
        # A pre-run writes the configuration when all files are in place.
        since = self._changed_before_run or self._paths.config.lstat().st_ctime_ns
        return changes(config, train, leave_out, since)


class Steps(KeylessSteps):
    """What one station does with one train.

    Attributes:
        disk: the state of the visit on disk.
    """

    def __init__(self, settings: Settings, report: Report, stop: StopRequest) -> None:
        super().__init__(settings, report, stop)
        key = load_station_key(settings.key_settings)
        self._signer = Signer(station=settings.station(), key=key)
        self.disk = VisitState(settings.paths, journal_key(self._signer.key))

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of a visit that is not finished."""
        found = self.disk.load()
        if isinstance(found, Journal):
            self.state = _STATES.get(found.phase, "unfinished")
        return found

    def check_writable(self) -> None:
        """Refuse a place where this user could not commit, before anything is written."""
        for path in (self._paths.config, self._paths.user_key):
            if os.path.lexists(path) and not can_replace(path):
                raise _bad_place(f"{this_user()} cannot replace {path}")

    def check_own(self, journal: Journal) -> None:
        """Raise SettingsError unless an unfinished visit was begun under this station's id."""
        if journal.station != self._signer.station:
            raise SettingsError(
                "journal-of-other-station",
                f'the unfinished visit was begun as station "{journal.station}"',
                hint="set the same STATION_ID as when the container was started first",
            )

    def verify(self, data: bytes) -> VerifiedTrain:
        """Steps 1 and 2: the definition, the chain, and this station's entry."""
        self.stage = "verify"
        config = read(data)
        check_room(config, len(data))
        check_own_entry(config, self._signer.station, self._signer.key.public_key())
        envelope = config.envelope(self._signer.station)
        key = open_envelope(self._signer.key, envelope, config.cipher) if envelope else None
        with mount_named(self._paths, self._paths.train):
            train = verify(
                config,
                self._paths.train,
                key,
                leave_out=self._leave_out(config),
                proceed=self._stop.check,
            )
        return self._verified(train)

    def has_visited(self, train: VerifiedTrain) -> bool:
        """Return whether this station has signed the chain already."""
        return has_visited(train.config, self._signer.station)

    def write_query(self, train: VerifiedTrain, write: Callable[[Iterable[bytes]], None]) -> None:
        """Give `write` the plaintext of the query, which `verify` has found to be as signed."""
        path = self._paths.train / QUERY
        if not train.config.has_query(self._paths.train):
            raise NoQuery(
                "no-query",
                f"the train carries no {QUERY}",
                hint="nothing is to be fetched by a query; ask the user what data the train needs",
            )
        with self._stop.at_once():  # nobody may be reading
            write(contents(train.config, path, train.key))

    def open(self, train: VerifiedTrain, data: bytes) -> None:
        """Steps 3 to 5, then the plaintext takes the place of the ciphertext."""
        self.stage = "decrypt"
        works = self._works(train.config)
        self._check_place(works)
        has_room = self._has_room(works)
        journal = Journal(
            phase=Phase.OPENING,
            station=self._signer.station,
            session_id=train.config.session_id.hex(),
            config=data,
            attributes=Attributes.of(self._paths.config),
            user_key=self._saved_user_key(),
            backups={work.name: None for work in works},
            public=train.config.public_fields(),
        )
        self.disk.begin(journal)
        self._warn_of_owners(journal, works)
        self.disk.open({work.name: self._open(train, work, keep=has_room) for work in works})
        for work in works:
            publish(work.large, work.small, work.tree)
            work.drop_special_bits()
        self.remove_unlisted(train.config, self._leave_out(train.config))

    def _open(self, train: VerifiedTrain, work: WorkFolder, *, keep: bool) -> bytes | None:
        """Decrypt a tree into its work folder; return the tag of the old one if it is kept."""
        with (
            self.disk.backing_up(work) if keep else nullcontext() as backup,
            PackWriter(work.small) as small,
        ):
            target = Target(plain=work.large, small=small, backup=backup)
            if work is self.disk.results:
                self.decrypt(train, target)
            else:
                decrypt_definition(
                    train,
                    work.tree,
                    target=target,
                    leave_out=work.leave_out,
                    proceed=self._stop.check,
                )
        return backup.tag() if backup else None

    def _works(self, config: TrainConfig) -> list[WorkFolder]:
        """Return the work folders of the trees that travel encrypted."""
        definition = self._definition(config)
        return [self.disk.results, *([definition] if definition else [])]

    def _definition(self, config: TrainConfig) -> WorkFolder | None:
        """Return the work folder of the immutable files, None if they travel in plaintext."""
        return self.disk.train if config.encrypts_definition else None

    def decrypt(self, train: VerifiedTrain, target: Target | None) -> OpenedTrain:
        """Steps 3, 4 and 5; without a target nothing is written."""
        self.stage = "decrypt"
        with mount_named(self._paths, self._paths.results):
            opened = decrypt(
                train,
                self._paths.results,
                target=target,
                leave_out=self.disk.results.leave_out,
                proceed=self._stop.check,
            )
        if train.config.result_hash is None:
            self._report.info("steps 3 to 5: no results to decrypt, this is the first stop")
        else:
            files = opened.contents.files
            self._report.info(f"steps 3 to 5: {files} result files are what the last stop sealed")
        return opened

    def check_left(self, config: TrainConfig) -> None:
        """Refuse what the next station would refuse, while the old state can still come back.

        What the train has left beside its signed files does not travel either, and is removed.
        """
        self.check_definition_left(config, self._leave_out(config))
        if not is_folder(self._paths.results):
            raise MalformedTrain(
                "results-missing",
                "the train has removed or replaced the folder pht_results",
                hint="a train may empty this folder, but not remove it; change the train",
            )
        for work in self._works(config):
            for path in self._check_sealable(work):
                self._report.warning(f"the link {path} travels without a signature")

    def _check_sealable(self, work: WorkFolder) -> tuple[str, ...]:
        try:
            return check_sealable(work.tree, work.leave_out)
        except PermissionError:  # which the train has taken away
            raise
        except OSError:  # the disk does not tell: no fault of the results
            self.disk.settle()
            self._wait_to_seal()
            raise

    def start_sealing(self, config: TrainConfig) -> None:
        """Check that the results can be sealed, and record that sealing begins.

        From then on they are never given up.

        Raises:
            MalformedTrain: they can never be sealed.
            StorageError: there is no room to seal them yet; they wait, and so does the old state.
        """
        self._stop.check()
        self.stage = "seal"
        self.disk.settle()
        self._check_room_to_seal(config)
        key = config.cipher.generate_key()
        self.state = "unfinished"
        self.disk.start_sealing(wrap(self._signer.key.public_key(), key))

    def _check_room_to_seal(self, config: TrainConfig) -> None:
        opt, sealed_bytes = self._paths.opt, config.cipher.sealed_bytes
        to_commit = room_to_commit(len(self.disk.begun().config))
        for folder, works in _by_file_system(self._works(config), opt).items():
            rooms = [room_to_seal(work.tree, work.leave_out, sealed_bytes) for work in works]
            try:
                check_room_to_seal(folder, works, [*rooms, to_commit] if folder == opt else rooms)
            except StorageError:
                self._wait_to_seal()
                raise

    def _wait_to_seal(self) -> None:
        """Record that the train has succeeded, unless a phase says that already."""
        if self.disk.begun().phase is Phase.OPEN:
            self.disk.enter(Phase.SUCCEEDED)
            self.state = "unfinished"

    def seal_and_commit(self, journal: Journal) -> Contents:
        """Steps 7 to 12, from their beginning or from where they were interrupted."""
        self.stage, self.state = "seal", "unfinished"
        config = read(journal.config)
        key = unwrap(self._signer.key, journal.key or b"")
        if key is None:
            raise ValueError("an authentic journal holds an envelope that does not open")
        sealed = seal(
            config,
            self._signer,
            key,
            self.disk.results,
            self._definition(config),
            proceed=self._stop.check,
        )
        self._check_definition(config, key)
        contents = sealed.contents
        self._report.info(f"steps 7 to 11: sealed {contents.files} files, {contents.size} bytes")
        self.stage = "commit"
        self.disk.finish(sealed.document, sealed.user_envelope)
        self.state = "sealed"
        self._report.info(f"step 12: committed stop {len(config.visits) + 1}")
        return contents

    def _check_definition(self, config: TrainConfig, key: bytes) -> None:
        """Refuse to commit immutable files that were damaged after the train had ended."""
        try:
            check_definition(
                config,
                self._paths.train,
                key,
                leave_out=self._leave_out(config),
                proceed=self._stop.check,
            )
        except PhtError:
            raise StorageError(
                "sealed-file-damaged",
                "pht_train is no longer what the user signed",
                hint="check the disk, then start from the image again",
            ) from None

    @contextmanager
    def or_go_back(self) -> Iterator[None]:
        """Put the old state back if the block fails before the train is recorded as successful."""
        try:
            yield
        except child.TrainStillRunning as error:
            # It could change what is put back now, or fill it with plaintext.
            self.state = "unfinished"
            raise child.TrainStillRunning(
                error.code,
                error.message,
                hint=f"{error.hint}; when they are gone, start this same container again: "
                "it puts the old state back",
                retry=True,
            ) from error
        except BaseException as error:
            journal = self.disk.journal
            if journal is not None and journal.phase not in (Phase.SUCCEEDED, Phase.SEALING):
                self._go_back_after(error)
            raise

    def _go_back_after(self, error: BaseException) -> None:
        """Put the old state back; if that fails, say why it had to come back first."""
        try:
            self.go_back()
        except (OSError, PhtError):
            first = error.error if isinstance(error, TrainFailed) else error
            if isinstance(first, PhtError):
                self._report.error(first)
            raise

    def go_back(self) -> bool:
        """Put the old state back; return False if it could not be kept."""
        self.state = "unfinished"
        journal = self.disk.begun()
        as_signed = True
        if journal.phase is not Phase.OPENING:  # the train may have run
            config = read(journal.config)
            if not config.encrypts_definition:  # else the old files come back as the results do
                as_signed = self._tidy_definition(config)
        try:
            back = self.disk.go_back()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise self._no_room_to_go_back() from error
        self.state = "unchanged" if back and as_signed else "spent"
        if not back:
            self._report.warning("the encrypted files are gone: start from the image again")
        elif not as_signed:
            self._report.warning("the signed files are changed: start from the image again")
        return back

    def _no_room_to_go_back(self) -> StorageError:
        """Return the refusal of a start that could put only a part of the old state back."""
        named = self.disk.begun().backups
        works = [work for work in (self.disk.results, self.disk.train) if work.name in named]
        missing = 0
        for folder, there in _by_file_system(works).items():
            needed = sum(work.backup_bytes() for work in there)
            missing += max(needed - free_bytes(folder) - sum(map(_taken, there)), 0)
        what = f"at least {missing} bytes are missing" if missing else "a little is missing"
        return StorageError(
            "disk-full",
            f"the disk has no room for the old state that is put back: {what}",
            hint="free them where the container's files lie, which the train may have filled, and "
            "start this same container again: it puts the old state back first; or remove the "
            "container and begin with the image",
            retry=True,
        )

    def _tidy_definition(self, config: TrainConfig) -> bool:
        """Remove what the train has left beside its own files; return whether only those are there.

        What it has left so that it cannot even be looked at must not keep the results from coming
        back.
        """
        try:
            self.remove_unlisted(config)
        except OSError:
            return False
        return is_as_signed(config, self._paths.train, "")

    def _leave_out(self, config: TrainConfig) -> str:
        """Return the name that walks of the immutable files pass over, or nothing."""
        definition = self._definition(config)
        return definition.leave_out if definition else ""

    def _check_place(self, works: Sequence[WorkFolder]) -> None:
        for path in (self._paths.config, self._paths.user_key):
            if path.exists() and is_mount_point(path):
                raise _bad_place(f"{path} is a mount of its own and cannot be replaced")
            if path.exists() and not path.is_file():
                raise _bad_place(f"{path} is no file")
            if path.exists() and mount_of(path).idmapped and is_unmapped(path):
                raise _unmapped(path)
        for work in works:
            if work.tree.is_dir():
                self._check_tree(work)

    def _check_tree(self, work: WorkFolder) -> None:
        tree = work.tree
        if mounts := mounts_below(tree):
            raise _bad_place(f"there is a mount inside {tree}: {mounts[0]}")
        mount = mount_of(tree)
        if self._settings.in_container and mount.fs_type == "tmpfs":
            raise _bad_place(f"{tree} is in memory and vanishes with the container")
        if mount.idmapped:
            for owned, _, _ in _owners(work):
                if is_unmapped(owned):
                    raise _unmapped(owned)
        if path := irreplaceable(tree, work.leave_out):
            raise _bad_place(f"{this_user()} may not read and replace {path}")

    def _saved_user_key(self) -> SavedFile | None:
        """Return the user's envelope as it has arrived, None without one."""
        path = self._paths.user_key
        try:
            contents = read_user_key(self._paths)
        except PermissionError:
            raise _bad_place(f"{this_user()} may not read {path}") from None
        return None if contents is None else SavedFile(contents, Attributes.of(path))

    def _warn_of_owners(self, journal: Journal, works: Sequence[WorkFolder]) -> None:
        """Say whose file will have another owner, since this user may not give files away."""
        _, uid, gid = journal.attributes
        for work in works:
            files = chain([(self._paths.config, uid, gid)], _owners(work))
            if lost := not_given(files, work.path / "owner"):
                path, uid, gid = lost
                self._report.warning(
                    f"{path} belongs to {uid}:{gid}, but {this_user()} may not give files to "
                    "this owner here: what takes its place will have another one; if that matters, "
                    "give the container the right to (--cap-add CHOWN)"
                )
                return

    def _has_room(self, works: Sequence[WorkFolder]) -> bool:
        """Return whether the old trees can be kept; refuse if not even the plaintext fits."""
        keep = True
        for folder, there in _by_file_system(works).items():
            needed = [space_needed(work.tree, work.leave_out) for work in there]
            plain, old = sum(plain for plain, _ in needed), sum(old for _, old in needed)
            free = free_bytes(folder)
            if free < plain:
                raise StorageError(
                    "disk-full",
                    f"decrypting the train needs {plain} bytes and {free} are free",
                    hint="free space where the container's files lie, then start again",
                    retry=True,
                )
            keep = keep and free >= plain + old
        if not keep:
            self._report.warning(
                "there is no room to keep the encrypted files: should the train fail, "
                "it has to be started from the image again"
            )
        return keep


def _last_change(folder: Path) -> int:
    """Return when something in a folder was last changed, in nanoseconds."""
    return max((entry.stat.st_ctime_ns for entry in walk(folder)), default=0)


def _owners(work: WorkFolder) -> Iterator[tuple[Path, int, int]]:
    """Yield everything in a tree with its owner."""
    if work.tree.is_dir():
        for entry in chain([work.folder()], walk(work.tree, leave_out=work.leave_out)):
            yield work.tree / entry.path, entry.stat.st_uid, entry.stat.st_gid


def _taken(work: WorkFolder) -> int:
    """Return how many bytes become free when a tree is emptied, to be put back."""
    entries = walk(work.tree, leave_out=work.leave_out) if is_folder(work.tree) else ()
    return sum(allocated_bytes(entry.stat) for entry in entries if entry.kind is Kind.FILE)


def _by_file_system(works: Sequence[WorkFolder], *more: Path) -> dict[Path, list[WorkFolder]]:
    """Return the work folders by one folder of each file system that their trees lie on.

    Args:
        works: the work folders.
        more: folders of which each stands for its file system, even if no tree lies there.
    """
    folders = {folder.stat().st_dev: folder for folder in more}
    found: dict[Path, list[WorkFolder]] = {folder: [] for folder in more}
    for work in works:
        place = work.tree if work.tree.is_dir() else work.tree.parent
        folder = folders.setdefault(place.stat().st_dev, place)
        found.setdefault(folder, []).append(work)
    return found


def _unmapped(path: Path) -> SettingsError:
    return _bad_place(f"the owner of {path} has no number on this mount: nobody may replace it")


def _bad_place(problem: str) -> SettingsError:
    return SettingsError(
        "place-unsuitable",
        problem,
        hint="keep the train on the container's own file system, or on a volume at /opt, which "
        "--read-only needs; and let the container's user write there",
    )
