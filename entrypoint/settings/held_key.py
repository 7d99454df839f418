"""Takes the key and its password out of the environment, where the train could read it.

The first environment of a process, and copies of it in its memory, last until execve(2). So the
program starts itself once more without them; they wait in secret memory (`linux.secret_memory`),
and only a process that loads the key reads them.

This module runs at every start, twice with such a key, so it imports little.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from entrypoint.settings.names import SECRET_VALUES

_HELD_KEY = "--held-key="
"""The first argument of the second start; no image can put one in front of `--as-entrypoint`."""


class HeldValue(str):
    """Stands in an environment for a value that waits in secret memory.

    Attributes:
        descriptor: of this memory; None if there was none.
    """

    descriptor: int | None

    def __new__(cls, descriptor: int | None) -> "HeldValue":
        """Make one for the value behind a descriptor."""
        value = super().__new__(cls, "held in secret memory")
        value.descriptor = descriptor
        return value


def hide(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment with a `HeldValue` for each secret value.

    With such a value in the environment the program starts itself again, and this does not return.
    """
    if sys.argv[1:2] and sys.argv[1].startswith(_HELD_KEY):
        return {**environment, **_adopt(sys.argv.pop(1))}
    secret = {name: environment[name] for name in SECRET_VALUES if environment.get(name)}
    if not secret:
        return environment
    rest = {name: value for name, value in environment.items() if name not in secret}
    with suppress(OSError):  # it is reported when the key is loaded
        _start_again(secret, rest)
    return {**rest, **dict.fromkeys(secret, HeldValue(None))}


def _start_again(secret: Mapping[str, str], rest: Mapping[str, str]) -> None:
    from entrypoint.linux.secret_memory import store

    held = [f"{name}:{store(os.fsencode(value))}" for name, value in secret.items()]
    interpreter = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    arguments = [*interpreter, _HELD_KEY + ",".join(held), *sys.argv[1:]]
    os.execve(sys.executable, arguments, rest)


def _adopt(word: str) -> dict[str, HeldValue]:
    """Return the held values that the first start has handed on, and protect them."""
    from entrypoint.linux.initial_environment import initial_environment
    from entrypoint.linux.prctl import PR_SET_DUMPABLE, prctl

    held = {}
    for part in word.removeprefix(_HELD_KEY).split(","):
        name, _, number = part.partition(":")
        os.set_inheritable(int(number), False)
        held[name] = HeldValue(int(number))
    initial_environment()  # while it can be read
    with suppress(OSError):  # `protect_memory` reports it
        prctl(PR_SET_DUMPABLE, 0)
    return held
