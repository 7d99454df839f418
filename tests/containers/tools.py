"""The image of tools of `examples/kubernetes`, made of the programs of this machine."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.containers.bases import make_base
from tests.containers.engine import Engine, Unavailable
from tests.containers.podman import registries


def make_tools(engine: Engine, registry: str) -> str:
    """Build an image with skopeo and umoci, for a registry without encryption, and return its tag.

    Raises:
        Unavailable: one of them is not installed.
    """
    files = {"etc/containers/policy.json": b'{"default": [{"type": "insecureAcceptAnything"}]}'}
    files["etc/containers/registries.conf"] = registries(registry.rstrip("/")).encode()
    for program in ("skopeo", "umoci"):
        found = shutil.which(program)
        if found is None:
            raise Unavailable(f"no {program} on the PATH")
        linked = subprocess.run(["ldd", found], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/[^ ]+) \(0x", linked):
            files[library.lstrip("/")] = Path(library).read_bytes()
        files[f"bin/{program}"] = Path(found).read_bytes()
    lines = [f"FROM {make_base(engine, 'musl')}", "COPY root /"]
    lines += ['RUN ["chmod", "-R", "+x", "/bin", "/lib64"]']
    context = {f"root/{name}": content for name, content in files.items()}
    return engine.build("tools", {"Dockerfile": "\n".join(lines).encode(), **context})
