"""A client of docker whose configuration has proxies, which it writes into what it makes."""

import json
from pathlib import Path

PASSWORD = "password-of-the-proxy"


def configure_proxies(folder: Path) -> dict[str, str]:
    """Write a configuration into a folder, and return the variable that names it."""
    proxies = {"default": {"httpProxy": f"http://user:{PASSWORD}@proxy:3128"}}
    (folder / "config.json").write_text(json.dumps({"proxies": proxies}))
    return {"DOCKER_CONFIG": str(folder)}
