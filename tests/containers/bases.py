"""Stand-ins for the base images of a registry, made of Debian's packages.

An image that was made once is kept in a cache folder, and in the engine, for the next test session.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.containers.engine import Engine, Unavailable

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pht-test-bases"

MUSL_SCRIPT = Path(__file__).with_name("musl.sh").read_text()


@dataclass(frozen=True)
class Base:
    """A Debian suite with some packages; with a script, what that leaves in `/image` instead.

    Attributes:
        sources: packages whose source the script finds in `/src`.
    """

    suite: str
    packages: tuple[str, ...]
    sources: tuple[str, ...] = ()
    script: str = ""


BASES = {
    "bookworm": Base("bookworm", ("python3", "python-is-python3")),
    "trixie": Base("trixie", ("python3",)),
    "r": Base("trixie", ("python3", "r-base-core")),
    "buildx": Base("trixie", ("docker-buildx",)),
    "musl": Base(
        "trixie",
        (
            *("autoconf", "automake", "busybox-static", "gcc", "libc6-dev", "libltdl-dev"),
            *("libtool", "make", "musl-tools", "python3", "xz-utils"),
        ),
        sources=("libffi", "python3.13", "zlib"),
        script=MUSL_SCRIPT,
    ),
}
"""Debian with Python 3.11; with Python 3.13, and `python3` only; the same with R; with a tool that
not every Debian has; and like Alpine, with Python 3.13 below `/usr/local`, without its bytecode, as
the official images have it."""


def make_base(engine: Engine, name: str) -> str:
    """Return the tag of a base image, made unless it is there; may raise Unavailable."""
    base = BASES[name]
    key = hashlib.sha256(repr(base).encode()).hexdigest()[:12]
    tag = f"pht-test-base:{name}-{key}"
    if not engine.has_image(tag):
        root = CACHE / f"{name}-{key}.tar"
        if not root.exists():
            _make(base, root)
        engine.must("import", str(root), tag)
    return tag


def _make(base: Base, output: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise Unavailable("no mmdebstrap to make base images with")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # Whole or not at all: what a failed mmdebstrap leaves must not become an image.
        root = Path(folder, "root.tar")
        run = partial(_mmdebstrap, base)
        _build(base, run, root) if base.script else run(root)
        root.rename(output)


def _build(base: Base, mmdebstrap: Callable[..., None], output: Path) -> None:
    """Run the script of a base in its Debian, and pack what it leaves."""
    script = output.with_name("script")
    script.write_text(base.script)
    fetch = "APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get source --quiet --download-only"
    hooks = [
        f'mkdir "$1/src" && cd "$1/src" && {fetch} {" ".join(base.sources)}',
        f'cp {script} "$1/script" && chroot "$1" sh -eu /script >&2',
        f'tar --sort=name -C "$1/image" -cf {output} .',
    ]
    mmdebstrap("-", "--format=null", *(f"--customize-hook={hook}" for hook in hooks))


def _mmdebstrap(base: Base, output: Path | str, *options: str) -> None:
    include = f"--include={','.join(base.packages)}"
    lines = [f"{kind} {_mirror()} {base.suite} main" for kind in ("deb", "deb-src")]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", include, *options]
    _tool(*command, base.suite, output, *lines[: 1 + bool(base.sources)])


def _mirror() -> str:
    """Return the Debian mirror that this machine's apt is set up with."""
    if shutil.which("apt-get") is None:
        raise Unavailable("no apt whose mirror could be used to make base images")
    conditions = ["Created-By: Packages", "Label: Debian"]
    sites = _tool("apt-get", "indextargets", "--format", "$(SITE)", *conditions).split()
    if not sites:
        raise Unavailable("apt knows no Debian mirror; has `apt-get update` been run?")
    return sites[0]


def _tool(*command: str | Path) -> str:
    """Return what a command printed; its failure means that the machine cannot make the image."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
