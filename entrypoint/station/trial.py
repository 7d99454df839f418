"""Tries the layers of protection of a visit, together and each one alone.

A process with all layers is what a train would be: nothing of the station may be open to it. A
layer alone shows what it holds by itself; so each attempt is made without any layer too, and counts
only if it succeeds there.
"""

import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from entrypoint.errors import SystemFailure
from entrypoint.linux.capabilities import held
from entrypoint.process import child
from entrypoint.process.credentials import Credentials
from entrypoint.process.sandbox import Sandbox
from entrypoint.recovery.state import lock
from entrypoint.settings.names import SECRET_VALUES
from entrypoint.settings.settings import Settings
from entrypoint.settings.station_folder import list_files
from entrypoint.station import attempts
from entrypoint.visit.protection import protected
from entrypoint.visit.scratch import Scratch
from entrypoint.visit.session import Session
from entrypoint.visit.train import still_running

_REFUSED = {errno.EACCES, errno.EPERM}
_LIMIT_S = 60.0
_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt of a train.

    Attributes:
        words: what it does, as in "refused: reading the key".
        call: a name of `attempts.KINDS`, and its arguments.
    """

    words: str
    call: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The end of one attempt.

    Attributes:
        attempt: what was tried.
        error: the number of the error under the layers, 0 if it has succeeded.
        bare: the number of the error without any layer.
    """

    attempt: Attempt
    error: int
    bare: int

    @property
    def is_refused(self) -> bool:
        """True if it is denied, not only impossible."""
        return self.error in _REFUSED

    @property
    def is_held(self) -> bool:
        """True if the layers deny it, and nothing else does."""
        return self.is_refused and self.bare == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The sandbox of a visit and what was tried in it.

    Attributes:
        sandbox: of a train's process here.
        key: the attempts on the key, under all layers.
        ledger: those on the ledger, under all layers; none if the station has none.
        alone: of each layer that the sandbox has, its attempts under nothing else.
    """

    sandbox: Sandbox
    key: list[Tried]
    ledger: list[Tried]
    alone: dict[str, list[Tried]]


def make_trial(session: Session, credentials: Credentials) -> Trial:
    """Make all attempts, as a visit starts a train.

    Args:
        session: of this command; its report gets what a visit would log.
        credentials: of the train.

    Raises:
        PhtError: a visit could not start a train here either.
    """
    command = [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", _source()]
    settings, paths = session.settings, session.paths
    with ExitStack() as cleanup:
        if settings.in_container and paths.config.exists():
            cleanup.enter_context(lock(paths))  # a visit here may use the same scratch folder
        scratch = Scratch.make(paths, in_container=settings.in_container, owner=credentials.owner())
        cleanup.callback(scratch.remove, session.report)
        sandbox = cleanup.enter_context(protected(session, credentials, command, scratch))
        bare = _bare(sandbox)

        def tried(attempts: Sequence[Attempt], sandbox: Sandbox) -> list[Tried]:
            without, within = (
                _make(session, command, place, attempts) for place in (bare, sandbox)
            )
            ended = zip(attempts, within, without, strict=True)
            return [Tried(attempt=one, error=error, bare=bare) for one, error, bare in ended]

        of_layer = _of_layer(settings)
        return Trial(
            sandbox=sandbox,
            key=tried(_on_key(settings), sandbox),
            ledger=tried(_on_ledger(settings), sandbox),
            alone={
                name: tried(of_layer[name], layer) for name, layer in _alone(sandbox, bare).items()
            },
        )


def _bare(sandbox: Sandbox) -> Sandbox:
    """Return the sandbox without any layer: its process may do what the runner may."""
    own = Credentials(uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()), keeps=held())
    return replace(sandbox, credentials=own, ruleset=None, filter=None, folder=None)


def _alone(sandbox: Sandbox, bare: Sandbox) -> dict[str, Sandbox]:
    """Return, for each layer of a sandbox, one that has only this layer."""
    powerless = replace(bare.credentials, keeps=sandbox.credentials.keeps)
    single = {
        "uid": replace(bare, credentials=replace(sandbox.credentials, keeps=frozenset())),
        "caps": replace(bare, credentials=powerless),
        "landlock": replace(bare, ruleset=sandbox.ruleset),
        "seccomp": replace(bare, filter=sandbox.filter),
    }
    return {name: single[name] for name in sandbox.layers()}


def _of_layer(settings: Settings) -> dict[str, list[Attempt]]:
    """Return the attempts that each layer stops by itself."""
    ledger = _on_ledger(settings)
    secrets = [_reading(path) for path in _secrets(settings)]
    files = [_reading(path) for path in list_files(settings.paths.station) if path.is_file()]
    return {
        "uid": [
            Attempt(words="changing a file of the runner", call=("change_mode",)),
            *secrets,
            *ledger,
        ],
        "caps": [Attempt(words="using a capability", call=("use_capability",))],
        "landlock": [*dict.fromkeys([*secrets, *files]), *ledger],
        "seccomp": [
            Attempt(words="tracing", call=("be_traced",)),
            Attempt(words="making a namespace", call=("make_namespace",)),
            Attempt(words="signalling the runner", call=("signal_to", str(os.getpid()))),
        ],
    }


def _on_key(settings: Settings) -> list[Attempt]:
    """Return the attempts to obtain the key."""
    runner = f"/proc/{os.getpid()}"
    return [
        *(_reading(path) for path in _secrets(settings)),
        Attempt(words="reading the runner's memory", call=("open_memory", f"{runner}/mem")),
        Attempt(
            words="finding the key in its environment",
            call=("find_variable", f"{runner}/environ", *SECRET_VALUES),
        ),
    ]


def _secrets(settings: Settings) -> list[Path]:
    return [path for path in settings.key_settings.files() if path.is_file()]


def _reading(path: Path) -> Attempt:
    return Attempt(words=f"reading {path.name}", call=("read", str(path)))


def _on_ledger(settings: Settings) -> list[Attempt]:
    """Return the attempts to change the ledger."""
    ledger = settings.ledger
    if ledger is None:
        return []
    return [Attempt(words="writing to the ledger", call=("write_in", str(ledger)))]


def _make(
    session: Session, command: Sequence[str], sandbox: Sandbox, tried: Sequence[Attempt]
) -> list[int]:
    """Make attempts in a sandbox; return the number of the error of each, 0 of a success."""
    text = json.dumps([one.call for one in tried])
    answer = os.memfd_create("attempts")
    try:
        with _as_stdout(answer):
            ended = child.run(
                [*command, text], env={}, timeout=_LIMIT_S, stop=session.stop, sandbox=sandbox
            )
        if session.stop.signal:
            raise KeyboardInterrupt
        found = os.pread(answer, _ANSWER_BYTES, 0)
    except child.TrainStillRunning:
        raise still_running() from None
    finally:
        os.close(answer)
    if ended.status != 0:
        raise SystemFailure(
            "layers-not-tried",
            f"the process that tries the layers of protection has ended with {ended.status}, "
            f"{ended.reason.value}",
            hint="look whether the train's user may execute the Python of this program, and "
            "whether memory or processes ran out",
        )
    numbers: list[int] = json.loads(found)
    return numbers


@contextmanager
def _as_stdout(file: int) -> Iterator[None]:
    """Make a file the stdout of processes that are started in the block."""
    saved = os.dup(1)
    os.dup2(file, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _source() -> str:
    """Return the program that makes the attempts."""
    return Path(attempts.__file__).read_text("utf-8")
