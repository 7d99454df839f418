"""Images that the container tests start from, made on this machine without a registry of images."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.containers.engine import Engine, Unavailable

REPOSITORY = Path(__file__).parents[2]
BASE = "pht-test-base:bookworm"
"""Debian with Python. It is kept for the next test session; `docker rmi` it to have it made anew,
or tag any glibc image with Python 3.11 or newer so where it cannot be made."""

SUITE = "bookworm"
SUITE_GLIBC_MINOR = 36

RUNNER = f"""\
FROM {BASE}
COPY site /usr/local/lib/pht/site
COPY entrypoint /usr/local/lib/pht/entrypoint
ENTRYPOINT ["python3", "-I", "-S", "-B", "/usr/local/lib/pht/entrypoint"]
"""


def make_base(engine: Engine) -> str:
    """Make the image BASE unless it is there, and return its tag; may raise Unavailable."""
    if engine.has_image(BASE):
        return BASE
    if shutil.which("mmdebstrap") is None:
        raise Unavailable(f"no image {BASE}, and no mmdebstrap to make it")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root.tar")
        # Not a pipe into the engine: what a failed mmdebstrap leaves must not become an image.
        packages = "--include=python3,python-is-python3"
        _tool("mmdebstrap", "--quiet", "--variant=minbase", packages, SUITE, root, _mirror())
        engine.must("import", str(root), BASE)
    return BASE


def make_runner(engine: Engine) -> str:
    """Build BASE with the runner on top, as a master image has it, and return the tag."""
    with tempfile.TemporaryDirectory() as site:
        _install_dependencies(engine, Path(site))
        files = {"Dockerfile": RUNNER.encode()}
        files |= _read_folder(Path(site), "site")
        files |= _read_folder(REPOSITORY / "entrypoint", "entrypoint")
    return engine.build("runner", files)


def _install_dependencies(engine: Engine, site: Path) -> None:
    """Put the wheels of the runtime lock that fit the Python of BASE into a folder."""
    ask = "import platform as p; print(p.python_version(), p.machine())"
    asked = engine.run(BASE, "python3", "-c", ask)
    assert asked.status == 0, asked.stderr.decode()
    version, machine = asked.stdout.decode().split()
    options = ["--quiet", "--no-compile", "--only-binary", ":all:", "--require-hashes"]
    options += ["--python-version", version, "--target", str(site)]
    for minor in range(17, SUITE_GLIBC_MINOR + 1):
        options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    lock = REPOSITORY / "entrypoint" / "requirements.txt"
    _tool(sys.executable, "-m", "pip", "install", *options, "--requirement", lock)


def _read_folder(folder: Path, name: str) -> dict[str, bytes]:
    """Return a folder's files, without bytecode, below `name`."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _mirror() -> str:
    """Return the Debian mirror that this machine's apt is set up with."""
    if shutil.which("apt-get") is None:
        raise Unavailable(f"no image {BASE}, and no apt whose mirror could be used to make it")
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
