"""Other engines than Docker, as far as they make and save images: podman, buildah and skopeo."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.containers.engine import TIMEOUT_S, Engine, Finished, Unavailable


@dataclass(frozen=True)
class OtherEngines:
    """Engines whose images are all in one store of their own.

    Attributes:
        folder: where the store is.
    """

    folder: Path
    _loaded: dict[Path, str] = field(default_factory=dict)

    def store(self) -> list[str | Path]:
        """Return the options that name the store."""
        return ["--root", self.folder / "root", "--runroot", self.folder / "run"]

    def podman(self, *arguments: str | Path) -> str:
        """Call podman; return its output."""
        return self._must("podman", *self.store(), *arguments)

    def try_podman(self, *arguments: str | Path) -> Finished:
        """Call podman, whatever the outcome."""
        return self._call("podman", *self.store(), *arguments)

    def buildah(self, *arguments: str | Path) -> str:
        """Call buildah; return its output."""
        return self._must("buildah", *self.store(), *arguments)

    def skopeo(self, *arguments: str | Path) -> str:
        """Call skopeo; return its output."""
        return self._must("skopeo", *arguments)

    def load(self, archive: Path) -> str:
        """Load an archive, unless that was done, and return the name of the image."""
        if archive not in self._loaded:
            said = self.podman("load", "--quiet", "--input", archive)
            self._loaded[archive] = said.strip().partition(": ")[2]
        return self._loaded[archive]

    def take_over(self, engine: Engine, image: str) -> str:
        """Load an image of Docker, unless that was done, and return its name here."""
        archive = self.folder / f"{quote(image, safe='')}.tar"
        if archive not in self._loaded:
            archive.write_bytes(engine.must("save", image))
        return self.load(archive)

    def _must(self, *command: str | Path) -> str:
        done = self._call(*command)
        assert done.status == 0, f"{' '.join(map(str, command))}: {done.stderr.decode()}"
        return done.stdout.decode()

    @staticmethod
    def _call(*command: str | Path) -> Finished:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def other_engines() -> Iterator[OtherEngines]:
    """Give the engines with an empty store, for the block.

    Raises:
        Unavailable: one of them is not installed.
    """
    for program in ("podman", "buildah", "skopeo"):
        if shutil.which(program) is None:
            raise Unavailable(f"no {program} on the PATH")
    # Podman refuses a path of more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="pht-") as folder:
        yield OtherEngines(Path(folder))
        # Podman behind its socket leaves a mount of this folder onto itself.
        storage = Path(folder, "root", "overlay")
        subprocess.run(["umount", storage], capture_output=True, check=False)
