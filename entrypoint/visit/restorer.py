"""Finds an unfinished visit and restores the old state; needs the journal's key only."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from entrypoint.errors import PhtError, RouteError, SettingsError
from entrypoint.protocol.verify import is_as_signed
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import VisitState
from entrypoint.report import State
from entrypoint.train_config import TrainConfig, read
from entrypoint.visit.disk_space import no_space_to_restore
from entrypoint.visit.session import Session
from entrypoint.visit.train import remove_unlisted

_STATES = {Phase.WAITING: State.WAITING, Phase.SPENT: State.SPENT}
"""The phases with a state of their own in the status line; all others are `unfinished`."""


class Restorer:
    """Finds what an earlier start has left on the disk, and undoes it.

    Attributes:
        disk: the state of the visit on disk.

    Args:
        session: of the command.
        disk: see above.
    """

    def __init__(self, session: Session, disk: VisitState) -> None:
        self._session = session
        self._report = session.report
        self.disk = disk

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of a visit that is not finished.

        An unfinished visit of another train than the station expects is left as it is.

        Raises:
            RouteError: it is one of another train.
        """
        found = self.disk.load()
        if isinstance(found, Journal):
            self._session.state = _STATES.get(found.phase, State.UNFINISHED)
            self._session.identify(read(found.config))
        return found

    def check_own(self, journal: Journal) -> None:
        """Raise SettingsError unless an unfinished visit was begun under this station's id."""
        if journal.station != self._session.settings.station():
            raise SettingsError(
                "journal-of-other-station",
                f'the unfinished visit was begun as station "{journal.station}"',
                hint="set the same STATION_ID as when the container was started first",
            )

    def load_complete(self) -> bytes:
        """Return the complete configuration; refuse a train in the middle of a visit."""
        found = self.load()
        if isinstance(found, Journal):
            raise wrong_phase("a visit is not finished", "start that container again, or use undo")
        return found

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
            self.disk.restore_places()  # the train may have closed a folder of pht_train
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
        return is_as_signed(config, self._session.paths.train, "")


def wrong_phase(problem: str, hint: str) -> RouteError:
    """Return the error for a command that another state of the train needs."""
    return RouteError(
        "wrong-half", f"this command does not fit the state of the train: {problem}", hint=hint
    )
