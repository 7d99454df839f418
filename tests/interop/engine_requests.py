"""Requests of a station to its engine, in a form that can be compared.

Left out is what only looks something up, what concerns the registry, what differs from run to run,
and what only clients of another version send.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import unquote

LEFT_OUT = re.compile(r"GET .*(?<!/archive)$|\w+ /(images/.*|auth)$")


def readable(recorded: Iterable[str], repository: str) -> list[str]:
    """Return recorded requests, each as one line.

    Args:
        recorded: lines of JSON: method, URL, body.
        repository: of the train's images.
    """
    numbers: dict[str, str] = {}
    lines = []
    for line in recorded:
        method, url, body, *_ = json.loads(line)
        path, _, query = re.sub(r"^.*//localhost(/v1\.\d+)?", "", url).partition("?")
        # A container is looked up as soon as it is made.
        path = re.sub(r"(?<=/)[0-9a-f]{64}", lambda found: _number(numbers, found[0]), path)
        query = re.sub(r"(?<=container=)[0-9a-f]{64}", lambda found: numbers[found[0]], query)
        query = query.removesuffix("&pause=True")  # the engine's default, which docker 7 names
        if LEFT_OUT.match(f"{method} {path}"):
            continue
        words = [method, path, unquote(query), _options(body) if "/create" in path else ""]
        lines.append(" ".join(filter(None, words)).replace(repository, "REPOSITORY"))
    return lines


def _number(numbers: dict[str, str], container: str) -> str:
    return numbers.setdefault(container, str(len(numbers) + 1))


def _options(body: str) -> str:
    """Return the options of a new container: names of variables, mounts without their source."""
    options = json.loads(body)
    host = options.get("HostConfig", {})
    shown = {
        "image": options.get("Image"),
        "command": options.get("Cmd"),
        "variables": sorted(pair.partition("=")[0] for pair in options.get("Env") or []),
        "mounts": [bind.partition(":")[2] for bind in host.get("Binds") or []],
        "devices": host.get("DeviceRequests"),
        "no network": options.get("NetworkDisabled"),
    }
    given = {name: value for name, value in shown.items() if value}
    return json.dumps(given) if given else ""
