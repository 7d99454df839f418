"""The opener: steps 1 to 5. Only `verify` needs the station's private key."""

from contextlib import nullcontext

from entrypoint.files.attributes import Attributes, Owner
from entrypoint.files.pack import PackWriter
from entrypoint.protocol.decrypt import Target, decrypt, decrypt_definition
from entrypoint.protocol.stages import OpenedTrain, VerifiedTrain
from entrypoint.protocol.verify import check_config_growth, check_own_entry, verify
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.ownership import record
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.report import Stage, counted
from entrypoint.train_config import TrainConfig, read
from entrypoint.visit.disk_space import backups_fit
from entrypoint.visit.hidden_mounts import explain_mounts
from entrypoint.visit.place import (
    check_place,
    read_saved_user_key,
    warn_of_empty_dir,
    warn_of_owners,
)
from entrypoint.visit.session import Session
from entrypoint.visit.station_key import StationKey
from entrypoint.visit.train import remove_unlisted, report_verified
from entrypoint.visit.trees import leave_out_of, works_of


class Opener:
    """Verifies a train, decrypts it, and puts the plaintext in place.

    Args:
        session: of the command.
        disk: the state of the visit on disk.
    """

    def __init__(self, session: Session, disk: VisitState) -> None:
        self._session = session
        self._paths = session.paths
        self._report = session.report
        self._proceed = session.stop.check
        self._disk = disk

    def verify(self, data: bytes, key: StationKey) -> VerifiedTrain:
        """Steps 1 and 2: verify the definition, the chain, and this station's entry."""
        self._session.stage = Stage.VERIFY
        config = read(data)
        self._session.identify(config)
        check_config_growth(config, len(data))
        check_own_entry(config, key.station, key.public())
        envelope = config.envelope(key.station)
        symmetric_key = key.open_envelope(envelope, config.cipher) if envelope else None
        with explain_mounts(self._paths, self._paths.train):
            train = verify(
                config,
                self._paths.train,
                symmetric_key,
                anchors=self._session.settings.anchors,
                leave_out=leave_out_of(self._disk, config),
                proceed=self._proceed,
            )
        report_verified(self._session, train)
        return train

    def decrypt(self, train: VerifiedTrain, target: Target | None) -> OpenedTrain:
        """Steps 3 to 5: decrypt and verify the results; without a target nothing is written."""
        self._session.stage = Stage.DECRYPT
        with explain_mounts(self._paths, self._paths.results):
            opened = decrypt(
                train,
                self._paths.results,
                target=target,
                leave_out=self._disk.results.leave_out,
                proceed=self._proceed,
            )
        if train.config.result_hash is None:
            self._report.info("steps 3 to 5: no results to decrypt, this is the first stop")
        else:
            files = counted(opened.contents.files, "result file")
            self._report.info(f"steps 3 to 5: verified {files} of the last stop")
        return opened

    def open(self, train: VerifiedTrain, data: bytes, *, owner: Owner | None = None) -> None:
        """Steps 3 to 5, then replace the ciphertext by the plaintext.

        Args:
            train: the verified train.
            data: its configuration as it arrived.
            owner: user and group of the train's process; None if it has those of this one.
        """
        self._session.stage = Stage.DECRYPT
        works, settings = works_of(self._disk, train.config), self._session.settings
        check_place(self._paths, works, in_container=settings.in_container)
        if settings.export is None:
            warn_of_empty_dir(self._paths, self._report)
        backs_up = backups_fit(works)
        if not backs_up:
            self._report.warning(
                "there is no space for a backup of the encrypted files: should the train fail, "
                "it has to be started from the image again"
            )
        journal = self._journal(train.config, data, works, owner)
        self._disk.begin(journal)
        warn_of_owners(self._paths, journal.attributes, works, self._report)
        self._disk.open({work.name: self._open(train, work, backs_up) for work in works})
        for work in works:
            work.publish()
            work.drop_special_bits()
        remove_unlisted(self._session, train.config, leave_out_of(self._disk, train.config))
        self._disk.hand_over()

    def _journal(
        self,
        config: TrainConfig,
        data: bytes,
        works: list[WorkFolder],
        owner: Owner | None,
    ) -> Journal:
        return Journal(
            phase=Phase.OPENING,
            station=self._session.settings.station(),
            session_id=config.session_id.hex(),
            config=data,
            attributes=Attributes.of(self._paths.config),
            places=record(self._paths, works, owner),
            train=owner,
            user_key=read_saved_user_key(self._paths),
            backups={work.name: None for work in works},
            public=config.public_fields(),
        )

    def _open(self, train: VerifiedTrain, work: WorkFolder, backs_up: bool) -> bytes | None:
        """Decrypt a tree into its work folder; return the tag of the backup, None without one."""
        with (
            self._disk.backing_up(work) if backs_up else nullcontext() as backup,
            PackWriter(work.small) as small,
        ):
            target = Target(plain=work.large, small=small, backup=backup)
            if work is self._disk.results:
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
