"""Changes and restores the state of a visit on disk (docs/crash-safety.md).

`train_config.json` is the only record. It holds either a complete configuration or the journal of
an unfinished visit, and it changes by atomic rename only.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

from entrypoint.errors import MalformedTrain, SystemFailure
from entrypoint.files.attributes import Attributes
from entrypoint.files.links import refuse_links
from entrypoint.limits import CONFIG_BYTES
from entrypoint.linux import durable
from entrypoint.linux.remove import remove
from entrypoint.model import Paths
from entrypoint.recovery import ownership
from entrypoint.recovery.backup import BackupWriter
from entrypoint.recovery.journal import Journal, Phase, SavedFile
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.train_config.file import no_train, read_config_allowing_links

_GROWTH_BYTES = 4096
"""More than a journal grows after `opening`: by an envelope of 1024 bytes and two tags, in hex."""


@contextmanager
def lock(paths: Paths) -> Iterator[None]:
    """Lock the train for one visit.

    Raises:
        MissingInput: there is no train here.
        SystemFailure: another process visits it.
    """
    try:
        folder = os.open(paths.opt, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise no_train(paths) from None
    try:
        if not paths.config.exists():
            raise no_train(paths)
        _lock(folder)
        yield
    finally:
        os.close(folder)


def _lock(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemFailure(
            "visit-in-progress",
            "another process is visiting this train",
            hint="wait until it has ended; two visits of one train cannot run at a time",
            retry=True,
        ) from None


class VisitState:
    """Reads and changes the state of a visit; every change is durable when the method returns.

    Attributes:
        results: the work folder of the results.
        train: the work folder of the immutable files, for trains that encrypt them.
        journal: of the unfinished visit, if there is one.

    Args:
        paths: of the train.
        journal_key: 32 bytes that only this station can derive; they authenticate journals and
            backups.
    """

    def __init__(self, paths: Paths, journal_key: bytes) -> None:
        self._paths = paths
        self._key = journal_key
        self.journal: Journal | None = None
        self.results = WorkFolder(paths.results)
        self.train = WorkFolder(paths.train)

    def load(self) -> bytes | Journal:
        """Return the complete configuration, or the journal of the unfinished visit.

        Raises:
            MissingInput: there is no train.
            MalformedTrain: the file is too large or not JSON.
            IntegrityError: the journal was not written with this station's key, or there is a link
                in a place that going back does not restore.
            SystemFailure: the journal is of another version of this program.
        """
        refuse_links(self._paths.config)
        data = read_config_allowing_links(self._paths)
        self.journal = Journal.decode(data, self._key)
        if self.journal is None:
            refuse_links(self._paths.user_key)
        if self.journal is None or self.journal.phase is Phase.SEALING:
            refuse_links(self._paths.train, self._paths.results)
        return self.journal or data

    def remove_leftovers(self) -> None:
        """Remove work files that a kill may have left beside a complete configuration."""
        for work in (self.results, self.train):
            work.remove()
        for path in (self._paths.config, self._paths.user_key):
            remove(durable.temporary_file(path))
        remove(self._paths.scratch)

    def begin(self, journal: Journal) -> None:
        """Mark the configuration as unfinished, then make the work folders: old → opening.

        Raises:
            MalformedTrain: the journal would be too large for the next start to read.
        """
        if len(journal.encode(self._key)) > CONFIG_BYTES - _GROWTH_BYTES:
            raise MalformedTrain(
                "config-malformed",
                "train_config.json and the list of the folders in pht_train are too large to be "
                "recorded in the journal of a visit",
                hint="have the train built again, with fewer folders",
            )
        self._record(journal)
        for work in self._opened():
            work.make()

    def unfinished_journal(self) -> Journal:
        """Return the journal of the unfinished visit; raises ValueError if there is none."""
        if self.journal is None:
            raise ValueError("no visit has begun")
        return self.journal

    def record(self) -> bytes:
        """Return the contents of `train_config.json` that hold the journal."""
        return self.unfinished_journal().encode(self._key)

    def resume(self, record: bytes) -> Journal:
        """Take up the visit whose `record` another process of this runner has written."""
        self.journal = Journal.decode(record, self._key)
        return self.unfinished_journal()

    def enter(self, phase: Phase) -> None:
        """Record the next phase."""
        self._record(self.unfinished_journal()._replace(phase=phase))

    def backing_up(self, work: WorkFolder) -> AbstractContextManager[BackupWriter]:
        """Yield the writer of a backup of the old tree, whose tag `open` records."""
        return work.backing_up(self._key)

    def open(self, backups: Mapping[str, bytes | None]) -> None:
        """Record that the trees may be replaced: opening → open.

        Args:
            backups: for each of them the tag of the backup of the old tree, or None without one.
        """
        journal = self.unfinished_journal()._replace(phase=Phase.OPEN, backups=backups)
        attributes, train = journal.attributes, journal.train
        self._record(journal, ownership.read_only(attributes, train) if train else attributes)
        size = self._paths.config.stat().st_size + _GROWTH_BYTES
        durable.reserve(self._paths.config, size)  # the train may fill the disk

    def hand_over(self) -> None:
        """Give the results to the train's own user, if it has one, and protect its signed files."""
        journal = self.unfinished_journal()
        if journal.train:
            ownership.hand_over(self._paths, journal.places, self.results, journal.train)

    def restore_places(self) -> None:
        """Restore owners and modes outside of the opened trees; idempotent."""
        journal = self.unfinished_journal()
        ownership.restore(self._paths.opt, journal.places, but=journal.backups)

    def wait(self) -> None:
        """Make the plaintext durable and leave it to the operator: open → waiting."""
        self._flush()  # nobody verifies it again before it is sealed
        self.enter(Phase.WAITING)

    def flush_results(self) -> None:
        """Make the train's results durable, and remove files that it may have planted nearby."""
        for work in self._opened():
            work.clear()
        remove(self._paths.scratch)
        self._flush()

    def start_sealing(self, key: bytes) -> None:
        """Record the wrapped new key, and give up the old state: → sealing."""
        self._record(self.unfinished_journal()._replace(phase=Phase.SEALING, key=key))

    def remove_backups(self) -> None:
        """Free the space of the old state, which `sealing` has given up; idempotent."""
        for work in self._opened():
            work.remove_backup()

    def go_back(self) -> bool:
        """Put the old state back from any phase before `sealing`; idempotent.

        Returns:
            Whether the old state is back. If a backup is missing or damaged, the plaintext is
            removed instead and the journal says `spent`.
        """
        journal = self.unfinished_journal()
        if journal.phase in (Phase.WAITING, Phase.SUCCEEDED):
            self.enter(Phase.OPEN)  # else a kill during this could seal a half-restored tree
        remove(self._paths.scratch)  # first: the train may have filled the disk
        self.restore_places()
        if journal.phase is not Phase.OPENING and not self._restore(journal.backups):
            self._scrub()
            return False
        for work in self._opened():
            work.clear()
        if journal.phase is not Phase.OPENING:  # the train may have run
            self._restore_user_key(journal.user_key)
        durable.replace(self._paths.config, journal.config, journal.attributes)
        self.remove_leftovers()
        self.journal = None
        return True

    def finish(self, config: bytes, user_envelope: bytes) -> None:
        """Commit: sealing → new. The configuration is renamed last."""
        journal = self.unfinished_journal()
        # The train chooses the mode of its results folder, unless that is the operator's mount.
        but = () if self.results.leave_out else (self.results.name,)
        ownership.restore(self._paths.opt, journal.places, but=but)
        self._flush()
        durable.replace(self._paths.user_key, user_envelope, journal.attributes)
        for work in self._opened():
            work.remove()
        durable.replace(self._paths.config, config, journal.attributes)

    def _restore(self, tags: Mapping[str, bytes | None]) -> bool:
        """Restore all old trees, or none and return False if a backup is missing or damaged."""
        with ExitStack() as stack:
            found = []
            for work in self._opened():
                backup = stack.enter_context(work.open_backup(tags[work.name], self._key))
                if backup is None:
                    return False
                found.append((work, backup))
            for work, backup in found:
                work.restore(backup)
        return True

    def _restore_user_key(self, saved: SavedFile | None) -> None:
        """Restore the old envelope of the user, whatever the train has put in its place."""
        remove(self._paths.user_key)  # first: the train may have filled the disk
        if saved:
            durable.put(self._paths.user_key, *saved)

    def _scrub(self) -> None:
        """Remove the plaintext of a train whose old state is lost: → spent."""
        for work in self._opened():
            work.empty_tree()
            work.remove()
        ownership.restore(self._paths.opt, self.unfinished_journal().places)
        self.enter(Phase.SPENT)

    def _opened(self) -> list[WorkFolder]:
        """Return the work folders of the trees that the unfinished visit opens."""
        backups = self.unfinished_journal().backups
        return [work for work in (self.results, self.train) if work.name in backups]

    def _flush(self) -> None:
        for work in self._opened():
            durable.flush_trees(work.tree)

    def _record(self, journal: Journal, attributes: Attributes | None = None) -> None:
        """Write the journal in place of the configuration.

        The journal counts from the rename on. If only the flush after it fails, the disk may hold
        the old record or the new one.

        Args:
            journal: the new one.
            attributes: of the file meanwhile, by default those of the configuration.
        """
        encoded = journal.encode(self._key)
        durable.put(self._paths.config, encoded, attributes or journal.attributes)
        self.journal = journal
        durable.flush_folder(self._paths.opt)
