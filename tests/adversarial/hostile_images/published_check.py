"""The image check of published stations of 2.0, on many images.

Nothing of this project is imported here: run in an environment that has their package. Takes the
master image and the others: names in the engine, or with `--archives` files of `docker save`.
Prints JSON: by image, the error that refuses it, or nothing.
"""

import argparse
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker


class SavedImage:
    """An image in a file, as far as the check asks an engine for it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def history(self) -> list[dict[str, Any]]:
        """Return nothing, so that only files are compared."""
        return []

    def save(self) -> Iterator[bytes]:
        """Yield the archive in pieces of the size that the engine's client takes."""
        with self._path.open("rb") as file:
            while piece := file.read(2 * 1024 * 1024):
                yield piece


class SavedImages:
    """Stands in the place of an engine."""

    def __init__(self) -> None:
        self.images = self

    def get(self, path: str) -> SavedImage:
        """Return the image in a file."""
        return SavedImage(path)


def main() -> None:
    """Compare each image with the master image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("master")
    parser.add_argument("image", nargs="+")
    parser.add_argument("--archives", action="store_true", help="images are files")
    options = parser.parse_args()
    if options.archives:
        docker.from_env = lambda **settings: SavedImages()  # the package asks when it is imported
    print(json.dumps({image: _refusal(options.master, image) for image in options.image}))


def _refusal(master: str, image: str) -> str:
    from train_lib.docker_util.validate_master_image import validate_train_image

    try:
        validate_train_image(master, image)
    except (ValueError, UnicodeError, tarfile.TarError, docker.errors.APIError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main()
