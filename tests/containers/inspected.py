"""How a container was made, to be compared with another one."""

import json
from typing import Any

RECORDS = """\
#!/bin/sh
case $1-$3 in
    start-*-next) ;;
    start-*) "{docker}" container inspect "$3" >"{seen}" ;;
esac
exec "{docker}" "$@"
"""
"""A client that records what the container of a visit is like before it starts it."""


NOT_COMPARED = {
    *("Hostname", "Image", "Labels"),  # names of this container
    *("Binds", "Mounts"),  # with folders of this machine
    *("AttachStdout", "AttachStderr"),  # who watches
}

UNSET: tuple[object, ...] = (None, False, 0, "", "no", [], {})
"""Values of what is not set, which each client writes in its own way."""


def made(inspected: bytes) -> dict[str, Any]:
    """Return how a container was made, as far as that is set.

    Args:
        inspected: the output of `docker container inspect`.
    """
    [facts] = json.loads(inspected)
    config, host = _set(facts["Config"]), _set(facts["HostConfig"])
    # A variable without a value is not set.
    config["Env"] = sorted(line for line in config["Env"] if "=" in line)
    config["Volumes"] = sorted(facts["Config"]["Volumes"] or ())  # names of empty objects
    names = ("Destination", "Type", "RW", "Propagation")
    mounts = sorted(tuple(mount[name] for name in names) for mount in facts["Mounts"])
    return {
        "config": config,
        "host": host,
        "mounts": mounts,
        "command": [facts["Path"], *facts["Args"]],
    }


def _set(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that are set and compared."""
    return {
        name: _set(value) if isinstance(value, dict) else value
        for name, value in facts.items()
        if value not in UNSET and name not in NOT_COMPARED
    }
