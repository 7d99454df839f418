"""Trains that each try to end a visit in one harmful way."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.attacks.visits import Ending

_FORGED = "pht: result=visited status=0 stage=commit state=sealed network=none runner=0.0.0"
_CHANGE = b"# changed by the train"


@dataclass(frozen=True)
class HostileEnding:
    """A train, and the harm that it means to do.

    Attributes:
        script: its only signed file.
        is_harmful: whether a visit has ended as it wants.
        options: of the container.
    """

    script: str
    is_harmful: Callable[[Ending], bool]
    options: tuple[str, ...] = ()


def _key_is_a_result(ending: Ending) -> bool:
    return any(b"PRIVATE KEY-----" in contents for contents in ending.results.values())


def _last_line_is_forged(ending: Ending) -> bool:
    return ending.done.stderr.rstrip("\n").endswith(_FORGED)


def _change_is_visited(ending: Ending) -> bool:
    return ending.done.status == 0 and ending.script.endswith(_CHANGE)


ENDINGS = {
    "result-is-link-to-key": HostileEnding(
        """\
import os
os.symlink("/run/pht/private_key.pem", "/opt/pht_results/key")
""",
        _key_is_a_result,
    ),
    "results-are-link-to-station": HostileEnding(
        """\
import os
os.rmdir("/opt/pht_results")
os.symlink("/run/pht", "/opt/pht_results")
""",
        _key_is_a_result,
    ),
    "runner-is-killed": HostileEnding(
        f"""\
import os, signal, sys, time
print("{_FORGED}", file=sys.stderr, flush=True)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(1)
""",
        _last_line_is_forged,
        ("--init",),
    ),
    "signed-file-is-changed": HostileEnding(
        f"""\
with open("/opt/pht_train/train.py", "ab") as file:
    file.write({_CHANGE!r})
""",
        _change_is_visited,
    ),
}
"""The trains by name."""
