"""The host-driven visit: only the command runs here (docs/host-driven.md).

Stations with the published software do the protocol on the host: they open the train, run its
container without any key, and seal its results. Here the definition is verified and the command
runs as in every visit; nothing is decrypted, sealed or signed, and the configuration stays as it
is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.constant_time import bytes_eq

from entrypoint.crypto.digests import ResultHash, chunks, sha512
from entrypoint.errors import IntegrityError, PhtError, RouteError, SettingsError
from entrypoint.files.tree import Kind, walk
from entrypoint.process.child import TrainStillRunning
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.protocol.verify import verify_open
from entrypoint.report import Outcome, Report, Stage, State
from entrypoint.settings.settings import Settings
from entrypoint.train_config import TrainConfig, read
from entrypoint.train_config.file import read_config
from entrypoint.visit.data import check_data
from entrypoint.visit.hidden_mounts import explain_mounts
from entrypoint.visit.place import check_persistent
from entrypoint.visit.session import Session, run_locked
from entrypoint.visit.train import (
    check_config_unchanged,
    check_signed_files,
    newest_change,
    remove_unlisted,
    report_verified,
    run_train,
    signed_command,
    still_running,
)
from entrypoint.visit.train_user import host_driven_credentials


def may_be_host_driven(settings: Settings) -> bool:
    """Return whether the host may do the protocol: that is set, or no station identity is.

    If it is not set, `run` looks for proof in the train.

    Raises:
        SettingsError: it is set, and so are settings of a visit that opens and seals here.
    """
    if settings.host_protocol:
        _refuse_contradictions(settings)
    return settings.host_protocol is not False and not settings.identity()


def run(settings: Settings, report: Report, command: Sequence[str]) -> Outcome:
    """Run the command of a train that the host has opened and will seal.

    Args:
        settings: of the station, without its id or key.
        report: takes the log lines.
        command: of the train.

    Raises:
        SettingsError: neither the settings nor the train show that a host has opened it.
    """

    def run_only(session: Session) -> Outcome:
        train = _verified(session, settings)
        _refuse_contradictions(settings)
        report.warning("host-driven visit: here only the command runs, nothing is sealed or signed")
        if settings.in_container:
            check_persistent(*filter(Path.exists, [settings.paths.config, settings.paths.results]))
        argv = signed_command(session, command, train)
        credentials = host_driven_credentials(settings)
        check_data(session, credentials, may_override=False)
        remove_unlisted(session, train.config)
        before, since = read_config(settings.paths), newest_change(settings.paths.train)
        session.state = State.UNSEALED
        try:
            run_train(session, argv, credentials, key_absent=True)
        except TrainStillRunning:
            raise still_running() from None
        check_signed_files(session, train.config, since=since)
        check_config_unchanged(settings.paths, before)
        report.warning("the results lie here in plaintext: the host has to seal them")
        return session.succeeded("hosted")

    return run_locked(settings, report, run_only)


def _refuse_contradictions(settings: Settings) -> None:
    needless = [*settings.identity(), *(["PHT_EXPORT"] if settings.export else [])]
    needless += [f"a ledger in {settings.ledger}"] if settings.ledger else []
    if needless:
        raise SettingsError(
            "host-driven-contradicted",
            f"the host does the protocol, but this is set too: {', '.join(needless)}",
            hint="remove PHT_HOST_PROTOCOL for a visit that opens and seals the train here; "
            "remove the others where the host does that",
        )


def _verified(session: Session, settings: Settings) -> VerifiedTrain:
    """Verify a train that the host has opened (steps 1 and 2)."""
    with _or_no_station(settings):
        config = read(read_config(settings.paths))
    session.identify(config)
    with _or_no_station(settings), explain_mounts(settings.paths, settings.paths.train):
        session.stage = Stage.VERIFY
        train = verify_open(
            config,
            settings.paths.train,
            anchors=settings.anchors,
            proceed=session.stop.check,
        )
        report_verified(session, train)
        opened = _is_open(config, settings)
    if opened:
        return train
    if config.encrypts_definition:  # they are plaintext here, so a host has opened this train
        with explain_mounts(settings.paths, settings.paths.results):
            raise _has_run(config)
    if settings.host_protocol:
        raise IntegrityError(
            "results-not-opened",
            "the results are not the plaintext of what the last station sealed",
            hint="PHT_HOST_PROTOCOL=1 is for trains that the host has decrypted before the run; "
            "if the image has run before, begin again at the pull",
            by="station",
        )
    raise settings.no_station()


@contextmanager
def _or_no_station(settings: Settings) -> Iterator[None]:
    """Replace an error of the block by that of a missing STATION_ID.

    Without PHT_HOST_PROTOCOL it is more likely that the id was forgotten than that a host opens.
    """
    try:
        yield
    except (PhtError, OSError):
        if settings.host_protocol:
            raise
        raise settings.no_station() from None


def _has_run(config: TrainConfig) -> PhtError:
    """Return the error for an opened train whose results come from an earlier run.

    Published hosts commit the container to an image before they look at its exit status.
    """
    hint = "begin again at the pull, with the image as it is in the registry"
    if config.result_hash is None:
        return RouteError(
            "results-before-first-stop",
            "there are results before the first stop: this image has run before",
            hint=hint,
            files_differ=True,
        )
    return IntegrityError(
        "results-not-opened",
        "the results are not what the last station sealed: this image has run before",
        hint=hint + "; if this repeats, the results were changed: tell the last station",
        by="station",
    )


def _is_open(config: TrainConfig, settings: Settings) -> bool:
    """Return whether a host has opened the train, given that its definition is in plaintext.

    PHT_HOST_PROTOCOL=1 counts unless the configuration contradicts it. Without it the train proves
    it by parts that travel encrypted and are plaintext here.
    """
    said = settings.host_protocol is True
    if config.result_hash is None:
        if config.encrypts_definition:
            return not _holds_results(settings)
        return said  # version 1.0.0 puts the first configuration back, which knows of no results
    has_results = config.result_hash != sha512(config.session_id)
    shown = said or config.encrypts_definition or has_results
    return shown and _are_plaintext(config, settings)


def _holds_results(settings: Settings) -> bool:
    entries = walk(settings.paths.results, missing_ok=True)
    return any(entry.kind is not Kind.DIRECTORY for entry in entries)


def _are_plaintext(config: TrainConfig, settings: Settings) -> bool:
    results, digest = settings.paths.results, ResultHash(config.session_id)
    for entry in walk(results, missing_ok=True):
        if entry.kind is Kind.FILE:
            for chunk in chunks(results / entry.path):
                digest.update(chunk)
    return bytes_eq(digest.finalize(), config.result_hash or b"")
