"""Step 6: running the train's command, and checking its signed files afterwards. No key in here."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import MalformedTrain, PhtError, SystemFailure
from entrypoint.files.tree import walk
from entrypoint.limits import REAP_LIMIT_S
from entrypoint.linux.remove import is_folder, remove_from
from entrypoint.model import Paths
from entrypoint.process import child
from entrypoint.process.closed_imports import close_imports
from entrypoint.process.credentials import Credentials
from entrypoint.process.failure import TrainFailed
from entrypoint.process.oom import oom_kills
from entrypoint.process.sandbox import Sandbox
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.protocol.verify import changes, is_as_signed, is_cache, unlisted
from entrypoint.report import Outcome, Stage, counted
from entrypoint.train_config import TrainConfig
from entrypoint.train_config.file import read_config
from entrypoint.trust.anchors import Trust
from entrypoint.visit.command import resolve_command
from entrypoint.visit.left_files import first_names, warn_of_left_files
from entrypoint.visit.protection import protected, report_protection
from entrypoint.visit.scratch import Scratch
from entrypoint.visit.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun:
    """A run of the train's command that has ended.

    Attributes:
        newest_change: the newest change in `pht_train` before it, in nanoseconds; None if it was
            not started.
        failure: how the visit ends because of it, already reported; None if it succeeded.
        still_running: whether processes of the train are left, which may still write.
    """

    newest_change: int | None
    failure: Outcome | None = None
    still_running: bool = False


def report_verified(session: Session, train: VerifiedTrain) -> None:
    """Log that steps 1 and 2 have succeeded, and whose keys are pinned."""
    report = session.report
    files = counted(len(train.config.files), "immutable file")
    signatures = counted(len(train.config.visits), "station signature")
    report.info(f"step 1: verified {files}, as signed by the user")
    report.info(f"step 2: verified the chain of {signatures}")
    report_trust(session, train.trust)


def report_trust(session: Session, trust: Trust) -> None:
    """Log whose keys are not pinned, and remember the verdict for the status line."""
    session.note(trust=trust.level)
    if unknown := [*trust.wrong, *trust.unpinned]:
        names = ", ".join(map(str, unknown))
        session.report.info(f"{counted(len(unknown), 'key')} not pinned: {names}")


def signed_command(session: Session, command: Sequence[str], train: VerifiedTrain) -> list[str]:
    """Return the command to run.

    Raises:
        IntegrityError: it does not run a signed file.
    """
    settings = session.settings
    if settings.any_command:
        session.report.warning("PHT_COMMAND=any: the command need not run a signed file")
    return resolve_command(
        command,
        train,
        session.paths,
        any_command=settings.any_command,
        environment=settings.values,
    )


def run_train(
    session: Session, argv: Sequence[str], credentials: Credentials, *, key_absent: bool
) -> None:
    """Run the train's command in its sandbox.

    Args:
        session: of the visit.
        argv: the command.
        credentials: of the train.
        key_absent: whether a key of the station is out of the train's reach.

    Raises:
        TrainFailed: it has not ended with status 0.
        Stopped: a stop was requested before its start.
        SystemFailure: no process can be started.
        TrainStillRunning: a process of the train survives SIGKILL.
    """
    session.stage = Stage.COMMAND
    settings = session.settings
    scratch = Scratch.make(
        session.paths, in_container=settings.in_container, owner=credentials.owner()
    )
    with ExitStack() as cleanup:
        cleanup.callback(scratch.remove, session.report)
        with protected(session, credentials, argv, scratch) as sandbox:
            session.note(layers=(*sandbox.layers(), *(["key-absent"] if key_absent else [])))
            report_protection(session)
            env = {**settings.train_environment(), **scratch.variables()}
            close_imports()
            try:
                _run(session, argv, env, sandbox)
            except child.TrainStillRunning:
                cleanup.pop_all()  # a process of the train could move what would be removed
                raise


def _run(session: Session, argv: Sequence[str], env: Mapping[str, str], sandbox: Sandbox) -> None:
    """Step 6: run the command and explain its failure."""
    session.report.train_runs()
    settings = session.settings
    # Elsewhere the kernel counts the processes of others too.
    kills = oom_kills() if settings.in_container else None
    try:
        ended = child.run(
            argv, env=env, timeout=settings.timeout, stop=session.stop, sandbox=sandbox
        )
    finally:
        session.report.train_ended()
    if ended.status != 0:
        now = oom_kills() if settings.in_container else None
        out_of_memory = None if kills is None or now is None else now > kills
        raise TrainFailed(ended, argv, env, timeout=settings.timeout, out_of_memory=out_of_memory)


def still_running(*, advice: str = "", retry: bool = False) -> SystemFailure:
    """Return the error for processes of the train that survive SIGKILL.

    Args:
        advice: what to do when they are gone.
        retry: whether starting again helps then.
    """
    return SystemFailure(
        "train-still-running",
        f"processes of the train survive SIGKILL for {REAP_LIMIT_S:g} seconds",
        hint=f"look with ps for what blocks them, such as a file system that hangs{advice}",
        retry=retry,
    )


def newest_change(folder: Path) -> int:
    """Return the time of the newest change in a folder, in nanoseconds."""
    return max((entry.stat.st_ctime_ns for entry in walk(folder)), default=0)


def remove_unlisted(session: Session, config: TrainConfig, leave_out: str = "") -> None:
    """Remove everything from `pht_train` but the signed files and `leave_out`, and log it.

    Compiled Python may lie there before a run too, and nobody misses it.
    """
    train, report = session.paths.train, session.report
    if not is_folder(train):
        return
    removed = unlisted(config, train, leave_out)
    remove_from(train, removed)
    if caches := [path for path in removed if is_cache(path)]:
        report.info(f"removed compiled Python from pht_train: {first_names(caches)}")
    warn_of_left_files(report, train.name, [path for path in removed if not is_cache(path)])


def check_signed_files(
    session: Session, config: TrainConfig, leave_out: str = "", *, since: int | None
) -> None:
    """Remove unsigned files that the train has left, and check the signed ones.

    Args:
        session: of this command.
        config: the configuration.
        leave_out: a name in `pht_train` that is not part of it.
        since: the newest change in `pht_train` before the run, in nanoseconds; None if unknown.

    Raises:
        MalformedTrain: the train has changed its signed files.
    """
    remove_unlisted(session, config, leave_out)
    train = session.paths.train
    if train.is_symlink() or not is_as_signed(config, train, leave_out, session.stop.check):
        raise MalformedTrain(
            "train-changed-itself",
            "the train has changed the files that the user signed",
            hint="have the author write into PHT_RESULTS_DIR instead, and start from the image",
            problems=_changed_files(session, config, leave_out, since),
        )


def check_config_unchanged(paths: Paths, before: bytes) -> None:
    """Check that the train has not changed `train_config.json`, nor put anything in its place.

    Raises:
        MalformedTrain: it has.
    """
    try:
        unchanged = read_config(paths) == before
    except PhtError:
        unchanged = False
    if not unchanged:
        raise MalformedTrain(
            "train-changed-itself",
            "the train has changed its train_config.json",
            hint="have the author write into PHT_RESULTS_DIR instead, and start from the image",
        )


def _changed_files(
    session: Session, config: TrainConfig, leave_out: str, since: int | None
) -> list[str]:
    """Return the signed files that the train has changed, as far as their times tell."""
    train = session.paths.train
    if not is_folder(train):
        return [f"{train.name} is no folder any more"]
    # After a pre-run no time is recorded: the configuration, which it writes last, has one.
    return changes(config, train, leave_out, since or session.paths.config.lstat().st_ctime_ns)
