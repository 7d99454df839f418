"""Stand-ins for the base images of a registry, made of Debian's packages.

An image that was made once is kept in a cache folder, and in the engine, for the next test session.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.containers.engine import Engine, Unavailable

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pht-test-bases"

APT_HELPER = "/usr/lib/apt/apt-helper"

MUSL_SCRIPT = Path(__file__).with_name("musl.sh").read_text()

MUSL_SOURCES = {
    "libffi": {
        "pool/main/libf/libffi/libffi_3.4.8.orig.tar.gz": (
            "cbb7f0b3b095dc506387ec1e35b891bfb4891d05b90a495bc69a10f2293f80ff"
        ),
        "pool/main/libf/libffi/libffi_3.4.4.orig.tar.gz": (
            "d66c56ad259a82cf2a9dfc408b32bf5da52371500b84745f7fb8b645712df676"
        ),
    },
    "Python": {
        "pool/main/p/python3.13/python3.13_3.13.5.orig.tar.xz": (
            "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640"
        ),
        "pool/main/p/python3.11/python3.11_3.11.2.orig.tar.gz": (
            "2411c74bda5bbcfcddaf4531f66d1adc73f247f529aee981b029513aefdbf849"
        ),
    },
    "zlib": {
        "pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz": (
            "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb"
        ),
        "pool/main/z/zlib/zlib_1.2.13.dfsg.orig.tar.bz2": (
            "71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1"
        ),
    },
}
"""The file of trixie, then that of bookworm. A suite's own index may name a version that its mirror
does not have yet, but these files are as old as the suites."""


@dataclass(frozen=True)
class Base:
    """A Debian suite with some packages; with a script, what that leaves in `/image` instead.

    Attributes:
        sources: what the script finds in `/src`: by name, files of a Debian mirror and their
            SHA-256, of which the first that the mirror has is taken.
    """

    suite: str
    packages: tuple[str, ...]
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    script: str = ""


BASES = {
    "bullseye": Base("bullseye", ("python3",)),
    "bookworm": Base("bookworm", ("python3", "python-is-python3")),
    "trixie": Base("trixie", ("python3",)),
    "r": Base("trixie", ("python3", "r-base-core", "r-cran-dplyr", "r-cran-readr")),
    "buildx": Base("trixie", ("docker-buildx",)),
    "musl": Base(
        "trixie",
        (
            *("autoconf", "automake", "busybox-static", "bzip2", "gcc", "libc6-dev"),
            *("libltdl-dev", "libtool", "make", "musl-tools", "python3", "xz-utils"),
        ),
        sources=MUSL_SOURCES,
        script=MUSL_SCRIPT,
    ),
}
"""Debian with `python3` only, 3.9; with Python 3.11; with `python3` only, 3.13; the same with R;
with a tool that not every Debian has; and like Alpine, with Python 3.13 below `/usr/local`, without
its bytecode, as the official images have it."""


def make_base(engine: Engine, name: str) -> str:
    """Return the tag of a base image, made unless it is there; may raise Unavailable."""
    base = BASES[name]
    key = hashlib.sha256(repr(base).encode()).hexdigest()[:12]
    tag = f"pht-test-base:{name}-{key}"
    if not engine.has_image(tag):
        root = CACHE / f"{name}-{key}.tar"
        CACHE.mkdir(parents=True, exist_ok=True)
        with root.with_suffix(".lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # several workers may want the same base
            if not root.exists():
                _make(name, base, root)
        engine.must("import", str(root), tag)
    return tag


def fetch_source(name: str, files: Mapping[str, str], mirror: str, folder: Path) -> None:
    """Download the first file that the mirror serves with the given SHA-256.

    Args:
        name: what the files are a source of.
        files: paths on the mirror, each with its SHA-256.
        mirror: its URL.
        folder: where to put the file.

    Raises:
        Unavailable: it serves none of them.
    """
    failures = []
    for path, digest in files.items():
        file = folder / Path(path).name
        try:
            _tool(APT_HELPER, "download-file", f"{mirror}/{path}", file, f"SHA256:{digest}")
        except Unavailable as failure:
            failures.append(f"{file.name}: {failure}")
        else:
            return
    raise Unavailable(f"no source of {name}: {'; '.join(failures)}")


def install(base: Base, mirror: str, output: Path | str, *options: str) -> None:
    """Make a Debian with the packages of a base; may raise Unavailable."""
    packages = f"--include={','.join(base.packages)}"
    command = ["mmdebstrap", "--variant=minbase", packages, *options, base.suite, output]
    command.append(f"deb {mirror} {base.suite} main")
    try:
        _tool(*command)
    except Unavailable:
        # Once more: a mirror that is being updated lacks files for a while, and apt asks once.
        _tool(*command)


def _make(name: str, base: Base, output: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise Unavailable("no mmdebstrap to make base images with")
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # Whole or not at all: what a failed mmdebstrap leaves must not become an image.
        root = Path(folder, "root.tar")
        try:
            _build(base, root) if base.script else install(base, debian_mirror(), root)
        except Unavailable as reason:
            raise Unavailable(f"no base image `{name}`: {reason}") from reason
        root.rename(output)


def _build(base: Base, output: Path) -> None:
    """Run the script of a base in its Debian, and pack what it leaves."""
    script = output.with_name("script")
    script.write_text(base.script)
    sources = output.with_name("src")
    sources.mkdir()
    for name, files in base.sources.items():
        fetch_source(name, files, debian_mirror(), sources)
    hooks = [
        f'cp -r {sources} {script} "$1" && chroot "$1" sh -eu /script >&2',
        f'tar --sort=name -C "$1/image" -cf {output} .',
    ]
    install(
        base, debian_mirror(), "-", "--format=null", *(f"--customize-hook={hook}" for hook in hooks)
    )


def debian_mirror() -> str:
    """Return the Debian mirror that this machine's apt is set up with."""
    if shutil.which("apt-get") is None:
        raise Unavailable("no apt whose mirror could be used to make base images")
    conditions = ["Created-By: Packages", "Label: Debian"]
    sites = _tool("apt-get", "indextargets", "--format", "$(SITE)", *conditions).split()
    if not sites:
        raise Unavailable("apt knows no Debian mirror; has `apt-get update` been run?")
    return sites[0]


def _tool(*command: str | Path) -> str:
    """Return the output of a command; raise Unavailable if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout
