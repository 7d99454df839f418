"""Lays out in /image the layer that a master image adds to its base.

Runs as root on the base image itself, in a build stage without network, with the Python that is to
be the runner's. Its input lies beside this file: `entrypoint/` and its lock, `packages.txt`, and
the wheels of both, in a folder for each platform. The same input gives the same bytes, dated
SOURCE_DATE_EPOCH (seconds since 1970).

An older Python must still be able to read this file, to say that it is too old.
"""

import compileall
import importlib.util
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

INPUT = Path(__file__).parent
IMAGE = Path("/image")
LIBRARIES = os.environ.get("LD_LIBRARY_PATH", "")
HOME = Path("/usr/local/lib/pht")
PROCESSOR = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
WHEELS = INPUT / "wheels" / PROCESSOR
INTERPRETER = Path(sys.executable).resolve()
OF_TRAINS = Path(shutil.which("python3") or sys.executable).resolve()
"""The Python that trains find on the PATH, that of the runner or another."""

PASSWD = "pht-train:*:10001:10001:Personal Health Train:/nonexistent:/sbin/nologin"
GROUP = "pht-train:*:10001:"


def main() -> None:
    """Lay out the image, or end with a message that says what is wrong with the base."""
    os.umask(0o022)
    _check_base()
    _add_account()
    _install_runner()
    _pip(INPUT / "packages.txt", "--root", IMAGE, "--ignore-installed")
    _link_interpreters()
    (IMAGE / "opt").mkdir(exist_ok=True)
    _compile()
    _settle(int(os.environ["SOURCE_DATE_EPOCH"]))


def _check_base() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - the base is somebody else's
        sys.exit(
            "the runner needs Python 3.11 or newer: take a newer base image, or keep this one's "
            "Python for trains and give the runner its own, as docs/images.md shows (An old Python)"
        )
    if OF_TRAINS != INTERPRETER and "==" in (INPUT / "packages.txt").read_text():
        sys.exit(
            "packages for trains are locked for the runner's Python, but trains use another one: "
            "build an image without packages, and install those for trains in its base image"
        )
    if not WHEELS.exists():
        sys.exit(
            f"there are no wheels for linux/{PROCESSOR}: fetch them with "
            f"`make wheels PLATFORM=linux/{PROCESSOR}`"
        )
    for name in ("pht_train", "pht_results"):
        if Path("/opt", name).exists():
            sys.exit(f"the base image has /opt/{name}, which is a train's")
    if LIBRARIES and not all(path.startswith("/") for path in re.split("[:;\n]", LIBRARIES)):
        # In an image built on top, a relative or empty entry could be a folder of a train.
        sys.exit("LD_LIBRARY_PATH of the base image may name absolute folders only")
    musl = [file.read_text() for file in Path("/etc").glob("ld-musl-*.path")]
    for path in re.findall("[^:;\n]+", ":".join([LIBRARIES, *musl])):
        if any(place.is_relative_to("/opt") for place in (Path(path), Path(path).resolve())):
            sys.exit(
                f"LD_LIBRARY_PATH or musl's list of the base image names {path}, but below /opt "
                "trains can change what the runner loads: keep those libraries elsewhere, or, with "
                "glibc, name the folder in /etc/ld.so.conf.d instead and run ldconfig"
            )


def _add_account() -> None:
    (IMAGE / "etc").mkdir(parents=True)
    for name, line in (("passwd", PASSWD), ("group", GROUP)):
        lines = Path("/etc", name).read_text().splitlines()
        if line not in lines:
            if "10001" in {known.split(":")[2] for known in lines if known.count(":") > 2}:
                sys.exit(f"the base image's /etc/{name} uses 10001, which is the train's")
            lines.append(line)
        (IMAGE / "etc" / name).write_text("".join(f"{line}\n" for line in lines))


def _install_runner() -> None:
    home = IMAGE / HOME.relative_to("/")
    shutil.copytree(
        INPUT / "entrypoint", home / "entrypoint", ignore=shutil.ignore_patterns("__pycache__")
    )
    _pip(INPUT / "entrypoint" / "requirements.txt", "--target", home / "site")
    if LIBRARIES:
        # The program accepts this value and refuses what an image built on top makes of it.
        (home / "ld_library_path").write_text(LIBRARIES)


def _pip(lock: Path, *place: "str | Path") -> None:
    """Install the wheels of a lock, with the pip that is locked too: not every base has one."""
    [pip] = WHEELS.glob("pip-*.whl")
    options = ["--isolated", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    options += ["--no-index", "--find-links", str(WHEELS), "--only-binary", ":all:"]
    options += ["--no-deps", "--require-hashes", "--no-compile", "--no-warn-script-location"]
    options += ["--root-user-action", "ignore", "--requirement", str(lock)]
    subprocess.run(
        [sys.executable, "-I", "-B", f"{pip}/pip", "install", *options, *place], check=True
    )


def _link_interpreters() -> None:
    # The runner uses this one, whatever an image built on top puts first on its PATH.
    links = {HOME / "python": INTERPRETER}
    if shutil.which("python") is None:
        links[Path("/usr/local/bin/python")] = OF_TRAINS
    for link, interpreter in links.items():
        inside = IMAGE / link.relative_to("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(interpreter)


def _compile() -> None:
    """Write the bytecode of everything that a start would otherwise compile.

    That includes the modules of the base: official images ship the standard library as source.
    Every .pyc is checked against its source, which a derived image may replace.
    """
    compileall.compile_dir(
        IMAGE / "usr/local/lib",
        maxlevels=99,
        stripdir=str(IMAGE),
        prependdir="/",
        quiet=2,  # packages bring templates and tests that are no valid Python
        invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,  # dates are set later
    )
    for source in _modules_of_the_base():
        cached = importlib.util.cache_from_source(source)
        if not os.path.exists(cached):
            mode = py_compile.PycInvalidationMode.TIMESTAMP
            py_compile.compile(source, f"{IMAGE}{cached}", source, True, invalidation_mode=mode)


def _modules_of_the_base() -> "list[str]":
    """Return the source files of the base that the runner imports; end if trains can change one."""
    program = [str(INTERPRETER), "-I", "-S", "-B", str(INPUT / "check_base.py")]
    command = [*program, str(IMAGE), str(HOME)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)  # it has printed the reason
    return done.stdout.splitlines()


def _settle(epoch: int) -> None:
    """Set owner, mode and date of every path."""
    for path in (IMAGE, *IMAGE.rglob("*")):
        of_base = Path("/", path.relative_to(IMAGE))
        if path.is_dir() and not path.is_symlink():
            mode = of_base.stat().st_mode if of_base.is_dir() else 0o755
            # Sticky: every user may build a train there, and nobody removes another's folders.
            path.chmod(0o1777 if of_base == Path("/opt") else mode & 0o7777)
            if of_base.is_dir():
                os.chown(path, of_base.stat().st_uid, of_base.stat().st_gid)
        elif not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


if __name__ == "__main__":
    main()
