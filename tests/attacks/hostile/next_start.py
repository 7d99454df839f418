"""Changes what the next start of the same container, or the rest of this one, will run."""

import os
import re
import sys
import sysconfig
from itertools import chain
from pathlib import Path

from .attempts import Absent, Gain, Pending, attempt
from .kernel_calls import runner
from .station_key import OPT, RUNNER_HOME

MARK = "run by the runner:"
_PAYLOAD = "\nimport os as _os\nif _os.getpid() == {}: _os.write(2, b'{} ' + {!r} + b' ')\n"


@attempt(Gain.KEY, "uid", "landlock", "read-only", "imports-closed", limit_s=60)
def modules_changed() -> str:
    """Appends to every module that the runner could still import, when it has the key again."""
    homes = [RUNNER_HOME / "entrypoint", RUNNER_HOME / "site", Path(sysconfig.get_path("stdlib"))]
    written, refused = 0, None
    for path in chain.from_iterable(home.rglob("*.py") for home in homes):
        if "site-packages" in path.parts or "test" in path.parts:
            continue
        payload = _PAYLOAD.format(runner(), MARK, path.stem.encode())
        try:
            with path.open("a") as file:
                written += file.write(payload) > 0
        except OSError as error:
            refused = refused or error
    if not written:
        raise refused or Absent("no modules")
    raise Pending(f"{written} modules changed")


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def runner_module_written() -> str:
    path = RUNNER_HOME / "entrypoint" / "__main__.py"
    with path.open("r+b", buffering=0) as file:
        data = file.read()
        file.seek(0)
        file.write(data)
    return str(path)


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def runner_library_written() -> str:
    """A library that is mapped may be changed in place, without a copy-up."""
    path = next(RUNNER_HOME.glob("site/**/*.so"))
    with path.open("r+b", buffering=0) as file:
        data = file.read(64)
        file.seek(0)
        file.write(data)
    return str(path)


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def runner_module_added() -> str:
    return _made(RUNNER_HOME / "site" / "attack.py")


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def runner_bytecode_added() -> str:
    return _made(RUNNER_HOME / "entrypoint" / "__pycache__" / "attack.pyc")


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def runner_interpreter_replaced() -> str:
    path = RUNNER_HOME / "python"
    new = path.with_name("attack")
    new.symlink_to(path.readlink())
    try:
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)
    return str(path)


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def interpreter_configured() -> str:
    return _made(RUNNER_HOME / "pyvenv.cfg")


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def library_archive_added() -> str:
    """Adds the archive in which Python looks for modules before its library."""
    name = "python{}{}.zip".format(*sys.version_info)
    return _made(Path(sys.base_prefix, "lib", name))


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def library_preloaded() -> str:
    return _made(Path("/etc/ld.so.preload"))


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def library_path_changed() -> str:
    """Adds a file beside that in which musl finds its search path for libraries."""
    return _made(Path("/etc/ld-musl-attack.path"))


@attempt(Gain.NEXT_START, "uid", "landlock", "openssl-conf")
def openssl_configured() -> str:
    """Adds a configuration where the OpenSSL of the runner was built to read it."""
    names = set()
    for path in RUNNER_HOME.glob("site/cryptography/hazmat/bindings/*.so"):
        names |= set(re.findall(rb'OPENSSLDIR: "([^"]+)"', path.read_bytes()))
    if not names:
        raise Absent("no folder is named in the library")
    return _made(Path(min(names).decode(), "openssl.cnf"))


@attempt(Gain.NEXT_START, "uid", "landlock")
def opt_written() -> str:
    return _made(OPT / "attack" / "file")


@attempt(Gain.NEXT_START, "uid", "landlock")
def opt_renamed() -> str:
    away = OPT / "pht_results.away"
    (OPT / "pht_results").rename(away)
    away.rename(OPT / "pht_results")
    return "folders of /opt can be exchanged"


@attempt(Gain.NEXT_START, "uid")
def opt_mode() -> str:
    OPT.chmod(OPT.stat().st_mode & 0o7777)
    return "the mode of /opt"


@attempt(Gain.NEXT_START, "uid", "landlock", "read-only")
def home_of_root_written() -> str:
    return _made(Path("/root/.config/attack"))


def _made(path: Path) -> str:
    """Show that a file can be made, with the folders above it, and leave nothing."""
    made = [folder for folder in path.parents if not folder.is_dir()]
    try:
        for folder in reversed(made):
            folder.mkdir()
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        path.unlink()
    finally:
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
    return f"{path} can be made"
