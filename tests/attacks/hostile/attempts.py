"""The register of attempts, and running one of them in a process of its own."""

import errno
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Gain(StrEnum):
    """What a successful attempt obtains or changes.

    FAILURE: the visit fails, since it notices the change.
    """

    KEY = "key"
    SIGNED = "signed"
    NEXT_START = "next start"
    RUNNER = "runner"
    SYSTEM = "system"
    FAILURE = "failure"


class Outcome(StrEnum):
    """How an attempt ended; the host turns PENDING into one of the others after the visit."""

    SUCCEEDED = "succeeded"
    BLOCKED = "blocked"
    ABSENT = "absent"
    PENDING = "pending"


class Absent(Exception):
    """What an attempt needs does not exist here."""


class Pending(Exception):
    """The effect of an attempt can only be seen after the visit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of the train.

    Attributes:
        name: unique, of the function that makes it.
        kind: the module that it is in.
        gain: what it obtains or changes if it succeeds.
        layers: the protections of which each one alone stops it.
        run: returns what was obtained; raises OSError if it was refused, Absent or Pending.
        limit_s: seconds after which it is ended.
    """

    name: str
    kind: str
    gain: Gain
    layers: tuple[str, ...]
    run: Callable[[], str]
    limit_s: int


REGISTER: dict[str, Attempt] = {}
"""All attempts by name, in the order in which they are made."""


def attempt(
    gain: Gain, *layers: str, limit_s: int = 20
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Add a function to the register; see `Attempt`."""

    def add(run: Callable[[], str]) -> Callable[[], str]:
        name = run.__name__.replace("_", "-")
        kind = run.__module__.rpartition(".")[2].replace("_", "-")
        assert name not in REGISTER
        REGISTER[name] = Attempt(
            name=name, kind=kind, gain=gain, layers=layers, run=run, limit_s=limit_s
        )
        return run

    return add


def report(attempt: Attempt) -> None:
    """Make an attempt in a process of its own and write one line of JSON with its outcome."""
    outcome, detail = _in_child(attempt)
    line = {"attempt": attempt.name, "outcome": outcome, "detail": detail[:300]}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _in_child(attempt: Attempt) -> tuple[str, str]:
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        os.write(tell, json.dumps(_result(attempt)).encode()[:4000])
        os._exit(0)
    os.close(tell)
    data, end = b"", time.monotonic() + attempt.limit_s
    # Processes that the attempt leaves behind keep the pipe open, so its end is not waited for.
    while not data.endswith(b"]") and select.select([told], [], [], end - time.monotonic())[0]:
        piece = os.read(told, 4096)
        if not piece:
            break
        data += piece
        if time.monotonic() > end:
            break
    os.close(told)
    if not data:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if not data:
        return Outcome.ABSENT, f"no answer; wait status {status}"
    outcome, detail = json.loads(data)
    return outcome, detail


def _result(attempt: Attempt) -> tuple[str, str]:
    try:
        return Outcome.SUCCEEDED, attempt.run()
    except Absent as reason:
        return Outcome.ABSENT, str(reason)
    except Pending as detail:
        return Outcome.PENDING, str(detail)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        return Outcome.BLOCKED, f"{name} {error.filename or ''}".strip()
    except Exception as error:  # a mistake of the suite, which the control shows
        return Outcome.ABSENT, f"{type(error).__name__}: {error}"
