"""Opener and closer as processes of their own: only they hold the station's key.

The supervisor gets their answers, which are typed and hold no key, and shows the closer what the
opener has answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from entrypoint.errors import StoppedWhileSealing, SystemFailure
from entrypoint.process.credentials import Credentials
from entrypoint.process.fork import ask
from entrypoint.protocol.verify import has_visited
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.report import Outcome, State, Surroundings
from entrypoint.train_config import read
from entrypoint.visit.restorer import Restorer
from entrypoint.visit.session import Session
from entrypoint.visit.station_key import StationKey

_OPENED, _OUTCOME = "opened", "outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An opened train, ready to run. Holds no key.

    Attributes:
        command: program and arguments.
        record: the bytes of `train_config.json`, which hold the journal.
        key: the fingerprint of the station's key.
        credentials: of the train.
        key_absent: whether the station's key is out of its reach.
        surroundings: what is known of the train, for the status line.
    """

    command: tuple[str, ...]
    record: bytes
    key: str
    credentials: Credentials
    key_absent: bool
    surroundings: Surroundings


def run_opener(session: Session, opener: Callable[[], Opened | Outcome]) -> Opened | Outcome:
    """Run the opener in a process of its own.

    If that is killed, another one restores the old state, unless sealing has begun.

    Args:
        session: of the command.
        opener: reports its errors by raising them.
    """
    answer = _ask(session, opener)
    return _opened(answer[_OPENED]) if _OPENED in answer else _outcome(answer[_OUTCOME])


def run_closer(session: Session, closer: Callable[[], Outcome]) -> Outcome:
    """Run the closer as `run_opener` runs the opener."""
    return _outcome(_ask(session, closer)[_OUTCOME])


def _ask(session: Session, part: Callable[[], Opened | Outcome]) -> Mapping[str, Any]:
    for work in (part, lambda: _recover(session)):
        answer = ask(partial(_answer, session, work), session.stop)
        if answer is not None:
            return answer
    session.state = State.UNFINISHED
    raise _killed()


def _answer(session: Session, part: Callable[[], Opened | Outcome]) -> Mapping[str, Any]:
    try:
        return _encode(part())
    except Exception as error:
        return _encode(session.failed(error))


def _encode(answer: Opened | Outcome) -> Mapping[str, Any]:
    if isinstance(answer, Outcome):
        return {_OUTCOME: asdict(answer)}
    user = answer.credentials  # it keeps no capability before `protected` says so
    facts = {
        "command": answer.command,
        "record": answer.record.decode("ascii"),
        "key": answer.key,
        "credentials": {"uid": user.uid, "gid": user.gid, "groups": user.groups},
        "key_absent": answer.key_absent,
        "surroundings": asdict(answer.surroundings),
    }
    return {_OPENED: facts}


def _outcome(facts: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**facts, "surroundings": Surroundings(**facts["surroundings"])})


def _opened(facts: Mapping[str, Any]) -> Opened:
    user = facts["credentials"]
    return Opened(
        command=tuple(facts["command"]),
        record=facts["record"].encode("ascii"),
        key=facts["key"],
        credentials=Credentials(uid=user["uid"], gid=user["gid"], groups=tuple(user["groups"])),
        key_absent=facts["key_absent"],
        surroundings=Surroundings(**facts["surroundings"]),
    )


def _recover(session: Session) -> Outcome:
    """Restore the old state after a part was killed."""
    key = StationKey(session.settings)
    restorer = Restorer(session, key.visit_state(session.paths))
    match restorer.load():
        case bytes() as config:
            visited = has_visited(read(config), key.station)
            session.state = State.SEALED if visited else State.UNCHANGED
        case Journal(phase=Phase.SEALING):
            raise StoppedWhileSealing(
                "stopped-while-sealing",
                "the runner was killed after the train had succeeded, before everything was sealed",
                hint="start this same container again: it seals the results without a new run",
                retry=True,
            )
        case Journal(phase=Phase.OPENING | Phase.OPEN) as journal:
            restorer.check_own(journal)
            with restorer.restored_on_error():  # which reports it first if restoring fails
                raise _killed()
    raise _killed()


def _killed() -> SystemFailure:
    return SystemFailure(
        "part-killed",
        "the process of the runner that opens or seals the train was killed",
        hint="most likely memory ran out: give the container more (--memory), then start it again",
        retry=True,
    )
