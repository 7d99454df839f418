"""How a container of a train has ended, and what a scheduler does then (docs/schedulers.md)."""

import json
from collections.abc import Mapping
from enum import Enum

KILLED = 137


class Next(Enum):
    """The next action of a scheduler when a container has ended."""

    HAND_OVER = "the sealed train goes to the next station"
    GO_ON = "the next task runs"
    AGAIN = "the same container is started again"
    FAIL = "somebody has to act, as `by` in the status line says"


def read(line: str, status: int) -> dict[str, str]:
    """Return the facts of a status line, or none if they may not be those of the program.

    A train can print such a line too. It stays the last one only if the container is killed right
    after it; then the exit status is another one, or 137.

    Args:
        line: the last one on stderr.
        status: the exit status of the container itself.
    """
    if line.startswith("pht: result="):
        facts = dict(word.partition("=")[::2] for word in line.split()[1:])
    elif line.startswith('{"level": "status", '):  # PHT_LOG=json in station.env
        try:
            facts = {name: str(value) for name, value in json.loads(line).items()}
        except (ValueError, RecursionError):
            return {}
    else:
        return {}
    is_whole = "result" in facts and facts.get("status") == str(status)
    return facts if is_whole and status != KILLED else {}


def decide(facts: Mapping[str, str]) -> Next:
    """Return what to do after a container that has ended with these facts, or without any."""
    if not facts or facts.get("retry") == "yes":
        return Next.AGAIN
    if facts["result"] == "visited" or facts.get("code") == "already-visited":
        return Next.HAND_OVER
    if facts["status"] == "0" or facts.get("code") == "no-query":
        return Next.GO_ON
    return Next.FAIL


def loses_nothing(facts: Mapping[str, str], *, is_new: bool) -> bool:
    """Return whether nothing is lost with the container.

    The `unchanged` of a refusal says only that this start changed nothing: results of an earlier
    one may wait for sealing.

    Args:
        facts: of the status line.
        is_new: whether this was the first start of the container.
    """
    if is_new or facts["result"] == "train-failed":
        return facts.get("state") in ("unchanged", "spent")
    return facts.get("state") == "spent"
