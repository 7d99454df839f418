"""`pht build`: makes the image of a train from its folder, its keys and its route."""

import tarfile
import tempfile
from pathlib import Path

from entrypoint.author.create import Request, describe, make_train
from entrypoint.author.engine import check_image, docker
from entrypoint.errors import UsageError
from entrypoint.report import Report

_TAGS = ("base", "latest")
"""Stations compare what travels, `latest`, with what was built, `base`."""


def build(request: Request, repository: str, report: Report) -> None:
    """Sign a train and build its image.

    Args:
        request: the train; it has a master image and a command.
        repository: the name of the image, without a tag.
        report: takes the log.

    Raises:
        PhtError: a file, key or option is missing or unsuitable, or the engine fails; there is no
            new image.
    """
    if ":" in repository.rpartition("/")[2] or "@" in repository:
        raise UsageError(
            "repository-unsuitable",
            f"the repository {repository} has a tag or a digest",
            hint="leave it out: the image gets the tags base and latest",
        )
    check_image(request.master_image)
    images = [f"{repository}:{tag}" for tag in _TAGS]
    with tempfile.TemporaryDirectory(prefix="pht-build-") as name:
        folder = Path(name)
        config = make_train(request, folder, report)
        report.progress("building the image")
        _build_image(folder, images)
        report.progress_done()
        place = f"is in {' and '.join(images)}, on {request.master_image}"
        describe(config, folder, place, report)
    report.info(f"then push both: {'; '.join(f'docker push {image}' for image in images)}")


def _build_image(folder: Path, images: list[str]) -> None:
    """Build the image of a signed train, without a network.

    The files go through a pipe: a client that is a snap sees no temporary folder. Docker 20.10
    takes a tar whose first entry has an extended header for a Dockerfile, so it is in GNU's format.
    """
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(folder, arcname=".")
        context.seek(0)
        tags = [f"--tag={image}" for image in images]
        docker("build", "--quiet", "--network", "none", *tags, "-", stdin=context)
