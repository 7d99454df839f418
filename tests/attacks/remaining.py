"""The attempts that succeed, each with the reason.

SECURITY.md has the same table. With the recommended line none of them is about the key, what is
signed or the next start.
"""

from dataclasses import dataclass

from tests.attacks.hostile.attempts import Gain
from tests.attacks.hostile.train import in_order
from tests.attacks.setups import NO_LANDLOCK, NO_RIGHTS, PRIVATE_DATA, USER, Case


@dataclass(frozen=True)
class Remaining:
    """Attempts that may succeed in some set-ups.

    Attributes:
        attempts: their names.
        where: sets of facts; a case that has all facts of one of them is meant (`Case.facts`).
        reason: why they succeed, and why that changes nothing that is signed.
    """

    attempts: tuple[str, ...]
    where: tuple[frozenset[str], ...]
    reason: str

    @property
    def row(self) -> str:
        """Its row in the table of SECURITY.md."""
        where = " or ".join(", ".join(map(_quoted, sorted(facts))) for facts in self.where)
        return f"| {where or 'any'} | {', '.join(self.attempts)} | {self.reason} |"


def _quoted(fact: str) -> str:
    return f"`{fact}`" if fact.startswith("-") else fact


_ONE_USER = (frozenset({USER}), frozenset({NO_RIGHTS}))
_IN_OPT = (
    *("config-written", "config-is-folder", "signed-folder-replaced", "user-key-planted"),
    *("backup-read", "backup-written", "work-folder-made"),
    *("opt-written", "opt-renamed", "openssl-configured"),
)
_NEXT_START = tuple(one.name for one in in_order() if one.gain == Gain.NEXT_START)

REMAINING = (
    Remaining(
        ("station-folder-listed",),
        (frozenset(),),
        "a train may list every folder that its user may; the files there cannot be read",
    ),
    Remaining(
        ("capabilities-held", "signed-file-written", "signed-file-replaced"),
        (frozenset({PRIVATE_DATA}),),
        "the train keeps DAC_OVERRIDE to read the data; the signed files are verified again after "
        "the train",
    ),
    Remaining(
        ("config-mode", "config-time", "opt-mode"),
        _ONE_USER,
        "the files belong to the user that runner and train share, and Landlock does not cover "
        "modes and times; they are restored after the train",
    ),
    Remaining(
        ("signed-file-written", "signed-file-replaced"),
        _ONE_USER,
        "the files belong to the user that runner and train share; they are verified again after "
        "the train",
    ),
    Remaining(
        ("user-is-root", "group-of-root"),
        (frozenset({NO_RIGHTS}),),
        "root without capabilities cannot become another user",
    ),
    Remaining(
        ("group-of-root",),
        (frozenset({USER}),),
        "the engine gives this user the group of root, which nothing but root can change",
    ),
    Remaining(
        ("priority-of-user", "priority-of-group"),
        _ONE_USER,
        "runner and train are one user; a lower priority only makes the visit slower",
    ),
    Remaining(
        _IN_OPT,
        (frozenset({USER, NO_LANDLOCK}),),
        "`/opt` belongs to the user that runner and train share; what is signed is compared with "
        "what was verified before the train",
    ),
    Remaining(
        ("memory-killer", "core-dump"),
        (frozenset({NO_RIGHTS, NO_LANDLOCK}),),
        "files of root below `/proc`; the kernel may then end the runner first when memory runs "
        "out, and the next start goes on; it writes no core of it in any case",
    ),
    Remaining(
        tuple(dict.fromkeys((*_IN_OPT, *_NEXT_START))),
        (frozenset({NO_RIGHTS, NO_LANDLOCK}),),
        "the train is root, and only Landlock or `--read-only` protect the files of the "
        "container: do not start it a second time",
    ),
)


def allowed(case: Case) -> frozenset[str]:
    """Return the names of the attempts that may succeed in a case."""
    return frozenset(
        name
        for one in REMAINING
        if any(facts <= case.facts for facts in one.where)
        for name in one.attempts
    )


def table() -> str:
    """Return the table of SECURITY.md."""
    head = "| container | what succeeds | why |\n|---|---|---|"
    return "\n".join([head, *(one.row for one in REMAINING)])
