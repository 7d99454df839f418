"""How a container was made, to be compared with another one."""

import json
from pathlib import Path
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


def made(seen: Path) -> dict[str, Any]:
    """Return what a container is like, without what names this container or this machine."""
    [facts] = json.loads(seen.read_text())
    config, host = facts["Config"], facts["HostConfig"]
    for name in ("Hostname", "Image", "Labels"):
        del config[name]
    # A variable without a value is not set.
    config["Env"] = sorted(line for line in config["Env"] if "=" in line)
    for name in ("Binds", "Mounts"):
        host.pop(name, None)
    mounts = [(mount["Destination"], mount["Type"], mount["RW"]) for mount in facts["Mounts"]]
    return {"config": config, "host": host, "mounts": sorted(mounts), "path": facts["Path"]}
