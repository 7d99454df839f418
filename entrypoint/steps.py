"""The numbered steps of a visit, each as one method; `visit.py` tells in which order they go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from entrypoint.crypto.keys import journal_key, unwrap, wrap
from entrypoint.errors import MalformedTrain, PhtError, SettingsError, StorageError
from entrypoint.linux import child
from entrypoint.linux.access import check_readable
from entrypoint.linux.disk import free_bytes
from entrypoint.linux.mounts import is_mount_point, mount_of, mounts_below
from entrypoint.linux.remove import is_folder, remove_from
from entrypoint.linux.stop import StopRequest
from entrypoint.pack import PackWriter
from entrypoint.protocol.command import resolve
from entrypoint.protocol.commit import commit
from entrypoint.protocol.decrypt import Target, decrypt, keeping, publish, space_needed
from entrypoint.protocol.seal import Signer, check_sealable, seal
from entrypoint.protocol.verify import check_own_entry, unlisted, verify
from entrypoint.report import Report
from entrypoint.settings import Settings
from entrypoint.stages import Contents, OpenedTrain, VerifiedTrain
from entrypoint.state import Journal, Phase, VisitState
from entrypoint.train_config import TrainConfig, read

_STATES = {Phase.WAITING: "waiting", Phase.SPENT: "spent"}
"""What the status line calls a phase; all others are `unfinished`."""

_NAMED_FILES = 10
"""At most so many removed files are named, in lines; a train may have left any number."""


class TrainFailed(Exception):
    """The train's command did not succeed; `ended` says how."""

    def __init__(self, ended: child.Ended) -> None:
        super().__init__(ended.reason.value)
        self.ended = ended


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

    def placed(self, error: PhtError) -> PhtError:
        """Return the error with what the status line says about the place where it happened."""
        error.stage, error.state = self.stage, self.state
        return error

    def verify_signed(self, config: TrainConfig) -> VerifiedTrain:
        """Steps 1 and 2: the definition and the chain."""
        self.stage = "verify"
        train = verify(config, self._paths.train)
        self._report.info(f"step 1: {len(config.files)} immutable files are what the user signed")
        self._report.info(f"step 2: the chain of {len(config.visits)} station signatures is valid")
        return train

    def resolve(self, command: Sequence[str], train: VerifiedTrain) -> list[str]:
        """Return the command to run if it runs a signed file."""
        if self._settings.any_command:
            self._report.warning("PHT_COMMAND=any: the command need not run a signed file")
        return resolve(
            command,
            train,
            self._paths,
            any_command=self._settings.any_command,
            environment=self._settings.values,
        )

    def check_data(self) -> None:
        """Refuse data that the train could not read, before anything of it is decrypted."""
        if data := self._settings.values.get("TRAIN_DATA_PATH"):
            check_readable(Path(data))

    def run_train(self, argv: Sequence[str]) -> None:
        """Step 6; raises TrainFailed unless the command ends with status 0."""
        self.stage = "command"
        self._report.info("step 6: the train runs")
        try:
            ended = child.run(
                argv,
                env=self._settings.train_environment(),
                timeout=self._settings.timeout,
                stop=self._stop,
            )
        finally:
            self._report.train_ended()
        if ended.status != 0:
            raise TrainFailed(ended)

    def remove_unlisted(self, config: TrainConfig) -> None:
        """Leave nothing in `pht_train` but the signed files, and say so."""
        if not is_folder(self._paths.train):
            return
        removed = unlisted(config, self._paths.train)
        remove_from(self._paths.train, removed)
        for path in removed[:_NAMED_FILES]:
            self._report.info(f"removed pht_train/{path}, which nobody signed")
        if len(removed) > _NAMED_FILES:
            self._report.info(
                f"removed {len(removed) - _NAMED_FILES} more unsigned files of pht_train"
            )


class Steps(KeylessSteps):
    """What one station does with one train.

    Attributes:
        disk: the state of the visit on disk.
    """

    def __init__(self, settings: Settings, report: Report, stop: StopRequest) -> None:
        super().__init__(settings, report, stop)
        self._signer = Signer(settings.station(), settings.private_key())
        self.disk = VisitState(settings.paths, journal_key(self._signer.key))

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of a visit that is not finished."""
        found = self.disk.load()
        if isinstance(found, Journal):
            self.state = _STATES.get(found.phase, "unfinished")
        return found

    def check_own(self, journal: Journal) -> None:
        """Raise SettingsError unless an unfinished visit was begun under this station's id."""
        if journal.station != self._signer.station:
            raise SettingsError(
                "journal-of-other-station",
                f"the unfinished visit was begun as station {journal.station}",
                hint="set the same STATION_ID as when the container was started first",
            )

    def verify(self, data: bytes) -> VerifiedTrain:
        """Steps 1 and 2: the definition, the chain, and this station's entry."""
        self.stage = "verify"
        config = read(data)
        check_own_entry(config, self._signer.station, self._signer.key.public_key())
        return self.verify_signed(config)

    def has_visited(self, train: VerifiedTrain) -> bool:
        """Return whether this station has signed the chain already."""
        return any(visit.station == self._signer.station for visit in train.config.visits)

    def open(self, train: VerifiedTrain, data: bytes) -> None:
        """Steps 3 to 5, then the plaintext takes the place of the ciphertext."""
        self.stage = "decrypt"
        self._check_place()
        kept = self._has_room()
        journal = Journal(
            phase=Phase.OPENING,
            station=self._signer.station,
            session_id=train.config.session_id.hex(),
            config=data,
            public=train.config.public_fields(),
        )
        self.disk.begin(journal)
        with (
            keeping(self.disk.old, self._paths.results) if kept else nullcontext() as old,
            PackWriter(self.disk.small) as small,
        ):
            self.decrypt(train, Target(self.disk.large, small, old))
        self.disk.open(kept=old.digest() if old else None)
        publish(self.disk.large, self.disk.small, self._paths.results)
        self.remove_unlisted(train.config)

    def decrypt(self, train: VerifiedTrain, target: Target | None) -> OpenedTrain:
        """Steps 3, 4 and 5; without a target nothing is written."""
        self.stage = "decrypt"
        config = train.config
        first = config.result_hash is None
        opened = decrypt(
            train,
            self._signer.key,
            None if first else config.envelope(self._signer.station),
            self._paths.results,
            target=target,
            leave_out=self.disk.leave_out,
            proceed=self._stop.check,
        )
        if first:
            self._report.info("steps 3 to 5: nothing to decrypt, this is the first stop")
        else:
            files = opened.contents.files
            self._report.info(f"steps 3 to 5: {files} result files are what the last stop sealed")
        return opened

    def check_left(self, config: TrainConfig) -> None:
        """Refuse what the next station would refuse, while the old state can still come back.

        What the train has left beside its signed files does not travel either, and is removed.
        """
        self.remove_unlisted(config)
        if not self._is_as_signed(config):
            raise MalformedTrain(
                "train-changed-itself",
                "the train has changed the files that the user signed",
                hint="a train writes into pht_results only; change it and start from the image",
            )
        if not is_folder(self._paths.results):
            raise MalformedTrain(
                "results-missing",
                "the train has removed or replaced the folder pht_results",
                hint="a train may empty this folder, but not remove it; change the train",
            )
        for path in check_sealable(self._paths.results, self.disk.leave_out):
            self._report.warning(f"the link {path} travels without a signature")

    def succeed(self, config: TrainConfig) -> None:
        """Record that the train has succeeded; its results are never thrown away from here on."""
        self._stop.check()
        key = config.cipher.generate_key()
        self.state = "unfinished"
        self.disk.start_sealing(wrap(self._signer.key.public_key(), key))

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
            self._paths.results,
            batch=self.disk.batch(),
            leave_out=self.disk.leave_out,
            proceed=self._stop.check,
        )
        contents = sealed.contents
        self._report.info(f"steps 7 to 11: sealed {contents.files} files, {contents.size} bytes")
        self.stage = "commit"
        commit(self.disk, sealed)
        self.state = "sealed"
        self._report.info(f"step 12: committed stop {len(config.visits) + 1}")
        return contents

    @contextmanager
    def or_go_back(self) -> Iterator[None]:
        """Put the old state back if the block fails before the journal says that it is sealing."""
        try:
            yield
        except BaseException:
            journal = self.disk.journal
            if journal is not None and journal.phase is not Phase.SEALING:
                self.go_back()
            raise

    def go_back(self) -> bool:
        """Put the old state back; return False if it could not be kept."""
        self.state = "unfinished"
        journal = self.disk.journal
        as_signed = True
        if journal is not None and journal.phase is not Phase.OPENING:  # the train may have run
            config = read(journal.config)
            self.remove_unlisted(config)
            as_signed = self._is_as_signed(config)
        back = self.disk.go_back()
        self.state = "unchanged" if back and as_signed else "spent"
        if not back:
            self._report.warning("the encrypted results are gone: start from the image again")
        elif not as_signed:
            self._report.warning("the signed files are changed: start from the image again")
        return back

    def _is_as_signed(self, config: TrainConfig) -> bool:
        """Return whether the train has let its own files alone."""
        try:
            verify(config, self._paths.train)
        except (PhtError, OSError):
            return False
        return True

    def _check_place(self) -> None:
        paths = self._paths
        if is_mount_point(paths.config):
            raise _bad_place(f"{paths.config} is a mount of its own and cannot be replaced")
        if paths.results.is_dir():
            if mounts_below(paths.results):
                raise _bad_place(f"there is a mount inside {paths.results}")
            if self._settings.in_container and mount_of(paths.results).fs_type == "tmpfs":
                raise _bad_place(f"{paths.results} is in memory and vanishes with the container")

    def _has_room(self) -> bool:
        """Return whether the old results can be kept; refuse if not even the plaintext fits."""
        results = self._paths.results
        free = free_bytes(results if results.is_dir() else self._paths.opt)
        plain, old = space_needed(results, self.disk.leave_out)
        if free < plain:
            raise StorageError(
                "disk-full",
                f"decrypting the results needs {plain} bytes and {free} are free",
                hint="free space where the container's files lie, then start again",
                retry=True,
            )
        if free < plain + old:
            self._report.warning(
                "there is no room to keep the encrypted results: should the train fail, "
                "it has to be started from the image again"
            )
        return free >= plain + old


def _bad_place(problem: str) -> SettingsError:
    return SettingsError(
        "place-unsuitable",
        problem,
        hint="keep the train on the container's own file system, or mount whole folders of it",
    )
