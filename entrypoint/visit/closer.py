"""The closer: steps 7 to 12."""

from entrypoint.errors import MalformedTrain, PhtError, StorageError
from entrypoint.linux.remove import is_folder
from entrypoint.protocol.seal import check_sealable, seal
from entrypoint.protocol.stages import Contents, SealedTrain
from entrypoint.protocol.verify import check_definition
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.ownership import results_owner
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.report import Stage, State, counted
from entrypoint.train_config import TrainConfig, read
from entrypoint.visit.disk_space import (
    by_file_system,
    check_space_to_seal,
    space_to_commit,
    space_to_seal,
)
from entrypoint.visit.session import Session
from entrypoint.visit.station_key import StationKey
from entrypoint.visit.train import check_signed_files
from entrypoint.visit.trees import definition_of, leave_out_of, works_of


class Closer:
    """Checks what the train has left, seals the results and commits.

    Attributes:
        disk: the state of the visit on disk.

    Args:
        session: of the command.
        key: of the station.
        disk: see above.
    """

    def __init__(self, session: Session, key: StationKey, disk: VisitState) -> None:
        self._session = session
        self._paths = session.paths
        self._report = session.report
        self._proceed = session.stop.check
        self._key = key
        self.disk = disk

    def check_after_run(self, config: TrainConfig, *, since: int | None) -> None:
        """Check that the next station will accept the train, while the old state can come back.

        Unsigned files that the train has left beside its signed ones are removed.

        Args:
            config: the configuration.
            since: see `check_signed_files`.

        Raises:
            MalformedTrain: the next station would refuse it.
        """
        check_signed_files(self._session, config, leave_out_of(self.disk, config), since=since)
        if not is_folder(self._paths.results):
            raise MalformedTrain(
                "results-missing",
                "the train has removed or replaced the folder pht_results",
                hint="a train may empty this folder, but not remove it; change the train",
            )
        for work in works_of(self.disk, config):
            for path in self._check_sealable(work):
                self._report.warning(f"the link {path} is not covered by any signature")

    def _check_sealable(self, work: WorkFolder) -> tuple[str, ...]:
        try:
            return check_sealable(work.tree, work.leave_out)
        except PermissionError:  # the train has removed permissions
            raise
        except OSError:  # the disk fails: the results may be good
            self.disk.flush_results()
            self._wait_to_seal()
            raise

    def start_sealing(self, config: TrainConfig) -> None:
        """Check that the results can be sealed, and record that sealing begins.

        From then on they are never given up.

        Raises:
            MalformedTrain: they can never be sealed.
            StorageError: there is no space to seal them now; they wait, and so does the old state.
        """
        self._proceed()
        self._session.stage = Stage.SEAL
        self.disk.flush_results()
        self._check_space_to_seal(config)
        key = config.cipher.generate_key()
        self._session.state = State.UNFINISHED
        self.disk.start_sealing(self._key.wrap(key))

    def _check_space_to_seal(self, config: TrainConfig) -> None:
        opt, sealed_bytes = self._paths.opt, config.cipher.sealed_bytes
        to_commit = space_to_commit(len(self.disk.unfinished_journal().config))
        for folder, works in by_file_system(works_of(self.disk, config), opt).items():
            spaces = [space_to_seal(work.tree, work.leave_out, sealed_bytes) for work in works]
            try:
                check_space_to_seal(
                    folder, works, [*spaces, to_commit] if folder == opt else spaces
                )
            except StorageError:
                self._wait_to_seal()
                raise

    def _wait_to_seal(self) -> None:
        """Record that the train has succeeded, if the journal does not say so yet."""
        if self.disk.unfinished_journal().phase is Phase.OPEN:
            self.disk.enter(Phase.SUCCEEDED)
            self._session.state = State.UNFINISHED

    def seal_and_commit(self, journal: Journal) -> Contents:
        """Steps 7 to 12, from their beginning or from where they were interrupted."""
        self._session.stage, self._session.state = Stage.SEAL, State.UNFINISHED
        self.disk.remove_backups()
        config = read(journal.config)
        key = self._key.unwrap(journal.key or b"")
        if key is None:
            raise ValueError("an authentic journal holds an envelope that does not open")
        sealed = seal(
            config,
            key,
            self.disk.results,
            definition_of(self.disk, config),
            owner=results_owner(journal.places) if journal.train else None,
            station=self._key.station,
            sign=self._key.sign,
            proceed=self._proceed,
        )
        self._check_definition(config, key)
        contents = sealed.contents
        files, size = counted(contents.files, "file"), counted(contents.size, "byte")
        self._report.info(f"steps 7 to 11: sealed {files}, {size}")
        self._warn_of_nothing_new(config, sealed)
        self._session.stage = Stage.COMMIT
        self.disk.finish(sealed.document, sealed.user_envelope)
        self._session.state = State.SEALED
        self._report.info(f"step 12: committed stop {len(config.visits) + 1}")
        return contents

    def _warn_of_nothing_new(self, config: TrainConfig, sealed: SealedTrain) -> None:
        """Log a warning if the results are empty or unchanged.

        The train may have caught its own error and ended with status 0.
        """
        if not sealed.contents.size:
            self._report.warning(
                "the train has left no results, or only empty files: it has to write into "
                "PHT_RESULTS_DIR"
            )
        elif sealed.result_hash == config.result_hash:
            self._report.warning(
                "the train has left the results as they came: it has to write what is new into "
                "PHT_RESULTS_DIR"
            )

    def _check_definition(self, config: TrainConfig, key: bytes) -> None:
        """Check that the immutable files were not damaged after the train had ended."""
        try:
            check_definition(
                config,
                self._paths.train,
                key,
                leave_out=leave_out_of(self.disk, config),
                proceed=self._proceed,
            )
        except PhtError:
            raise StorageError(
                "sealed-file-damaged",
                "pht_train is no longer what the user signed",
                hint="check the disk, then start from the image again",
            ) from None
