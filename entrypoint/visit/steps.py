"""The steps of a visit that need the station's private key; `story.py` has their order."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext

from entrypoint.crypto.envelopes import open_envelope, unwrap, wrap
from entrypoint.crypto.mac import journal_key
from entrypoint.errors import MalformedTrain, NoQuery, PhtError, SettingsError, StorageError
from entrypoint.files.attributes import Attributes
from entrypoint.files.pack import PackWriter
from entrypoint.linux.remove import is_folder
from entrypoint.model import QUERY
from entrypoint.protocol.decrypt import Target, decrypt, decrypt_definition
from entrypoint.protocol.seal import Signer, check_sealable, seal
from entrypoint.protocol.stages import Contents, OpenedTrain, VerifiedTrain
from entrypoint.protocol.verify import (
    check_config_growth,
    check_definition,
    check_own_entry,
    contents,
    has_visited,
    is_as_signed,
    verify,
)
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.report import Stage, State, counted
from entrypoint.settings.private_key import load_station_key
from entrypoint.train_config import TrainConfig, read
from entrypoint.visit.disk_space import (
    backups_fit,
    by_file_system,
    check_space_to_seal,
    no_space_to_restore,
    space_to_commit,
    space_to_seal,
)
from entrypoint.visit.hidden_mounts import explain_mounts
from entrypoint.visit.place import check_place, read_saved_user_key, warn_of_owners
from entrypoint.visit.session import Session
from entrypoint.visit.train import check_signed_files, remove_unlisted, report_verified

_STATES = {Phase.WAITING: State.WAITING, Phase.SPENT: State.SPENT}
"""The phases with a state of their own in the status line; all others are `unfinished`."""


class Steps:
    """The steps of one station with one train; holds the station's private key.

    Attributes:
        disk: the state of the visit on disk.

    Args:
        session: of the command.
        already_validated: whether this command has loaded the key before.
    """

    def __init__(self, session: Session, *, already_validated: bool = False) -> None:
        settings = session.settings
        station = settings.station()  # before the key: its error also explains host-driven visits
        key = load_station_key(settings.key_settings, already_validated=already_validated)
        self._signer = Signer(station=station, key=key)
        self._session = session
        self._paths = session.paths
        self._report = session.report
        self._proceed = session.stop.check
        self.disk = VisitState(session.paths, journal_key(key))

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of a visit that is not finished."""
        found = self.disk.load()
        if isinstance(found, Journal):
            self._session.state = _STATES.get(found.phase, State.UNFINISHED)
        return found

    def check_own(self, journal: Journal) -> None:
        """Raise SettingsError unless an unfinished visit was begun under this station's id."""
        if journal.station != self._signer.station:
            raise SettingsError(
                "journal-of-other-station",
                f'the unfinished visit was begun as station "{journal.station}"',
                hint="set the same STATION_ID as when the container was started first",
            )

    # --- before the train ------------------------------------------------------------------------

    def verify(self, data: bytes) -> VerifiedTrain:
        """Steps 1 and 2: verify the definition, the chain, and this station's entry."""
        self._session.stage = Stage.VERIFY
        config = read(data)
        check_config_growth(config, len(data))
        check_own_entry(config, self._signer.station, self._signer.key.public_key())
        envelope = config.envelope(self._signer.station)
        key = open_envelope(self._signer.key, envelope, config.cipher) if envelope else None
        with explain_mounts(self._paths, self._paths.train):
            train = verify(
                config,
                self._paths.train,
                key,
                leave_out=self._leave_out(config),
                proceed=self._proceed,
            )
        report_verified(self._report, train)
        return train

    def has_visited(self, train: VerifiedTrain) -> bool:
        """Return whether this station has signed the chain already."""
        return has_visited(train.config, self._signer.station)

    def write_query(self, train: VerifiedTrain, write: Callable[[Iterable[bytes]], None]) -> None:
        """Pass the plaintext of the verified query to `write`."""
        path = self._paths.train / QUERY
        if not train.config.has_query(self._paths.train):
            raise NoQuery(
                "no-query",
                f"the train carries no {QUERY}",
                hint="there is no query to fetch data with; ask the user what data the train needs",
            )
        with self._session.stop.at_once():  # the reader of a pipe may never read
            write(contents(train.config, path, train.key))

    def decrypt(self, train: VerifiedTrain, target: Target | None) -> OpenedTrain:
        """Steps 3 to 5: decrypt and verify the results; without a target nothing is written."""
        self._session.stage = Stage.DECRYPT
        with explain_mounts(self._paths, self._paths.results):
            opened = decrypt(
                train,
                self._paths.results,
                target=target,
                leave_out=self.disk.results.leave_out,
                proceed=self._proceed,
            )
        if train.config.result_hash is None:
            self._report.info("steps 3 to 5: no results to decrypt, this is the first stop")
        else:
            files = counted(opened.contents.files, "result file")
            self._report.info(f"steps 3 to 5: verified {files} of the last stop")
        return opened

    def open(self, train: VerifiedTrain, data: bytes) -> None:
        """Steps 3 to 5, then replace the ciphertext by the plaintext."""
        self._session.stage = Stage.DECRYPT
        works = self._works(train.config)
        check_place(self._paths, works, in_container=self._session.settings.in_container)
        backs_up = backups_fit(works)
        if not backs_up:
            self._report.warning(
                "there is no space for a backup of the encrypted files: should the train fail, "
                "it has to be started from the image again"
            )
        attributes = Attributes.of(self._paths.config)
        self.disk.begin(self._journal(train.config, data, attributes, works))
        warn_of_owners(self._paths, attributes, works, self._report)
        self.disk.open({work.name: self._open(train, work, backs_up) for work in works})
        for work in works:
            work.publish()
            work.drop_special_bits()
        remove_unlisted(self._session, train.config, self._leave_out(train.config))

    def _journal(
        self,
        config: TrainConfig,
        data: bytes,
        attributes: Attributes,
        works: list[WorkFolder],
    ) -> Journal:
        return Journal(
            phase=Phase.OPENING,
            station=self._signer.station,
            session_id=config.session_id.hex(),
            config=data,
            attributes=attributes,
            user_key=read_saved_user_key(self._paths),
            backups={work.name: None for work in works},
            public=config.public_fields(),
        )

    def _open(self, train: VerifiedTrain, work: WorkFolder, backs_up: bool) -> bytes | None:
        """Decrypt a tree into its work folder; return the tag of the backup, None without one."""
        with (
            self.disk.backing_up(work) if backs_up else nullcontext() as backup,
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
                    proceed=self._proceed,
                )
        return backup.tag() if backup else None

    # --- after the train -------------------------------------------------------------------------

    def check_after_run(self, config: TrainConfig, *, since: int | None) -> None:
        """Check that the next station will accept the train, while the old state can come back.

        Unsigned files that the train has left beside its signed ones are removed.

        Args:
            config: the configuration.
            since: see `check_signed_files`.

        Raises:
            MalformedTrain: the next station would refuse it.
        """
        check_signed_files(self._session, config, self._leave_out(config), since=since)
        if not is_folder(self._paths.results):
            raise MalformedTrain(
                "results-missing",
                "the train has removed or replaced the folder pht_results",
                hint="a train may empty this folder, but not remove it; change the train",
            )
        for work in self._works(config):
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
        self.disk.start_sealing(wrap(self._signer.key.public_key(), key))

    def _check_space_to_seal(self, config: TrainConfig) -> None:
        opt, sealed_bytes = self._paths.opt, config.cipher.sealed_bytes
        to_commit = space_to_commit(len(self.disk.unfinished_journal().config))
        for folder, works in by_file_system(self._works(config), opt).items():
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
            proceed=self._proceed,
        )
        self._check_definition(config, key)
        contents = sealed.contents
        files, size = counted(contents.files, "file"), counted(contents.size, "byte")
        self._report.info(f"steps 7 to 11: sealed {files}, {size}")
        self._session.stage = Stage.COMMIT
        self.disk.finish(sealed.document, sealed.user_envelope)
        self._session.state = State.SEALED
        self._report.info(f"step 12: committed stop {len(config.visits) + 1}")
        return contents

    def _check_definition(self, config: TrainConfig, key: bytes) -> None:
        """Check that the immutable files were not damaged after the train had ended."""
        try:
            check_definition(
                config,
                self._paths.train,
                key,
                leave_out=self._leave_out(config),
                proceed=self._proceed,
            )
        except PhtError:
            raise StorageError(
                "sealed-file-damaged",
                "pht_train is no longer what the user signed",
                hint="check the disk, then start from the image again",
            ) from None

    # --- the way back ----------------------------------------------------------------------------

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Restore the old state if the block fails before the train is recorded as successful."""
        try:
            yield
        except BaseException as error:
            journal = self.disk.journal
            if journal is not None and journal.phase not in (Phase.SUCCEEDED, Phase.SEALING):
                self._restore_after(error)
            raise

    def _restore_after(self, error: BaseException) -> None:
        """Restore the old state; if that fails, report first why it has to be restored."""
        try:
            self.restore()
        except (OSError, PhtError):
            if isinstance(error, PhtError):
                self._report.error(error)
            raise

    def restore(self) -> bool:
        """Restore the old, encrypted state; return False if it has no backup."""
        self._session.state = State.UNFINISHED
        journal = self.disk.unfinished_journal()
        as_signed = True
        if journal.phase is not Phase.OPENING:  # the train may have run
            config = read(journal.config)
            if not config.encrypts_definition:  # else the backup holds the signed files too
                as_signed = self._tidy_definition(config)
        try:
            back = self.disk.go_back()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            both = (self.disk.results, self.disk.train)
            backups = self.disk.unfinished_journal().backups
            raise no_space_to_restore([work for work in both if work.name in backups]) from error
        self._session.state = State.UNCHANGED if back and as_signed else State.SPENT
        if not back:
            self._report.warning("the encrypted files are gone: start from the image again")
        elif not as_signed:
            self._report.warning("the signed files are changed: start from the image again")
        return back

    def _tidy_definition(self, config: TrainConfig) -> bool:
        """Remove unsigned files from `pht_train`; return whether the signed ones are unchanged.

        A folder in there that cannot be read must not keep the results from being restored.
        """
        try:
            remove_unlisted(self._session, config)
        except OSError:
            return False
        return is_as_signed(config, self._paths.train, "")

    # --- the trees -------------------------------------------------------------------------------

    def _works(self, config: TrainConfig) -> list[WorkFolder]:
        """Return the work folders of the trees that travel encrypted."""
        definition = self._definition(config)
        return [self.disk.results, *([definition] if definition else [])]

    def _definition(self, config: TrainConfig) -> WorkFolder | None:
        """Return the work folder of the immutable files, None if they travel in plaintext."""
        return self.disk.train if config.encrypts_definition else None

    def _leave_out(self, config: TrainConfig) -> str:
        """Return the name that walks of the immutable files leave out, or nothing."""
        definition = self._definition(config)
        return definition.leave_out if definition else ""
