"""The commands of a station for archives of images, with their options."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from entrypoint.errors import IntegrityError
from entrypoint.model import Paths
from entrypoint.report import Report, show
from entrypoint.settings.names import MASTERS_FILE


def add_validate_image_options(parser: ArgumentParser) -> None:
    """Add the options of `validate-image`."""
    add = parser.add_argument
    add("image", metavar="TRAIN.tar", help="the archive of the train's image; - is stdin")
    masters = parser.add_mutually_exclusive_group()
    known = "what describe-image has printed; default: masters.json of the station folder"
    masters.add_argument("--masters", type=Path, metavar="FILE", help=known)
    text = "the archive of the only master image to compare with"
    masters.add_argument("--master", metavar="MASTER.tar", help=text)
    add("--json", action="store_true", help="print JSON instead of a table")


def validate_image(options: Namespace, _environment: Mapping[str, str], _report: Report) -> int:
    """Compare the image of a train with its master image."""
    from entrypoint.station import validate_image as desk

    default = Paths(options.root or Path("/")).station / MASTERS_FILE
    if options.master:
        masters = [desk.describe_image(options.master)]
    else:
        masters = desk.read_masters(options.masters or default)
    verdict = desk.validate_image(options.image, masters)
    show(desk.verdict_text(verdict, as_json=options.json))
    if not verdict.accepted:
        raise IntegrityError(
            "image-refused",
            "the image is not a known master image with a train in it and nothing else",
            hint="start no container of it; the table says what differs, and whoever made the "
            "image can build it again on a master image of the list",
            by="author",
        )
    return 0


def add_describe_image_options(parser: ArgumentParser) -> None:
    """Add the options of `describe-image`."""
    text = "the archive of a master image; - is stdin"
    parser.add_argument("images", nargs="+", metavar="MASTER.tar", help=text)


def describe_image(options: Namespace, _environment: Mapping[str, str], _report: Report) -> int:
    """Print the entries of master images for masters.json."""
    from entrypoint.images.masters import write_masters
    from entrypoint.station.validate_image import describe_image

    show(write_masters([describe_image(image) for image in options.images]))
    return 0
