"""The attempts that succeed, each with the reason.

SECURITY.md has the same table, in words. With the recommended line none of them is about the key,
what is signed or the next start.
"""

from dataclasses import dataclass

from tests.attacks.hostile.attempts import Gain
from tests.attacks.hostile.train import in_order
from tests.attacks.setups import GVISOR, NO_LANDLOCK, NO_RIGHTS, PRIVATE_DATA, USER, Case


@dataclass(frozen=True)
class Remaining:
    """Attempts that may succeed in some set-ups.

    Attributes:
        attempts: their names.
        where: sets of facts; a case that has all facts of one of them is meant (`Case.facts`).
        effect: what they do, for people who do not know their names.
        reason: why they succeed, and why that changes nothing that is signed.
    """

    attempts: tuple[str, ...]
    where: tuple[frozenset[str], ...]
    effect: str
    reason: str

    @property
    def row(self) -> str:
        """Its row in the table of SECURITY.md."""
        where = " or ".join(", ".join(map(_quoted, sorted(facts))) for facts in self.where)
        return f"| {where or 'any'} | {self.effect} | {self.reason} |"


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
        "reads the names of the files in the station folder",
        "a train may list every folder that its user may; the files there cannot be read",
    ),
    Remaining(
        ("descriptors-listed", "memory-addresses", "device-made", "priority-of-group"),
        (frozenset({GVISOR}),),
        "lists the open files and the addresses of the runner, makes device nodes, and lowers the "
        "priority of the runner, together with its own",
        "gVisor forbids none of that; the memory with the key is closed to other users, and device "
        "nodes lead to no device",
    ),
    Remaining(
        ("signed-file-replaced",),
        (frozenset({GVISOR}),),
        "replaces its signed files",
        "gVisor ignores the sticky bit of folders; the signed files are verified again after the "
        "train, so a change makes the visit fail",
    ),
    Remaining(
        ("capabilities-held", "signed-file-written", "signed-file-replaced"),
        (frozenset({PRIVATE_DATA}),),
        "keeps the capability DAC_OVERRIDE; changes or replaces its signed files",
        "it needs the capability to read the data; the signed files are verified again after the "
        "train, so a change makes the visit fail",
    ),
    Remaining(
        ("config-mode", "config-time", "opt-mode"),
        _ONE_USER,
        "changes the mode and times of `train_config.json` and the mode of `/opt`",
        "they belong to the user that runner and train share, and Landlock does not cover modes "
        "and times; the modes are restored after the train",
    ),
    Remaining(
        ("signed-file-written", "signed-file-replaced"),
        _ONE_USER,
        "changes or replaces its signed files",
        "they belong to the user that runner and train share; they are verified again after the "
        "train, so a change makes the visit fail",
    ),
    Remaining(
        ("user-is-root", "group-of-root"),
        (frozenset({NO_RIGHTS}),),
        "runs as root and in root's group, without a right of root",
        "root without capabilities cannot become another user",
    ),
    Remaining(
        ("group-of-root",),
        (frozenset({USER}),),
        "runs in root's group",
        "the engine gives this user the group of root, which nothing but root can change",
    ),
    Remaining(
        ("priority-of-user", "priority-of-group"),
        _ONE_USER,
        "lowers the priority of the runner, together with its own",
        "runner and train are one user; a lower priority only makes the visit slower",
    ),
    Remaining(
        _IN_OPT,
        (frozenset({USER, NO_LANDLOCK}),),
        "changes everything in `/opt`: replaces `train_config.json`, `user_sym_key.key`, folders "
        "and work files, reads and damages the encrypted backup, adds a configuration for OpenSSL",
        "`/opt` belongs to the user that runner and train share; what is signed is compared with "
        "what was verified before the train, a damaged backup is noticed, and nothing of `/opt` "
        "is loaded by the program",
    ),
    Remaining(
        ("memory-killer", "core-dump"),
        (frozenset({NO_RIGHTS, NO_LANDLOCK}),),
        "chooses the runner as the first process to end when memory runs out, and what a core dump "
        "of it would hold",
        "both are files of root below `/proc`; after such an end the next start goes on, and the "
        "kernel writes no core dump of the runner",
    ),
    Remaining(
        tuple(dict.fromkeys((*_IN_OPT, *_NEXT_START))),
        (frozenset({NO_RIGHTS, NO_LANDLOCK}),),
        "changes everything in `/opt`, as above, and every other file of the container: the "
        "program itself, its interpreter and the libraries that it loads",
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
    head = "| container | what the train does | why |\n|---|---|---|"
    return "\n".join([head, *(one.row for one in REMAINING)])
