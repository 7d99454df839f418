"""`pht validate-image` and `pht describe-image`: compare a train's image with its master image."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from entrypoint.errors import MissingInput, SettingsError
from entrypoint.files.bounded import read_bounded
from entrypoint.images.archive import Image, read_image
from entrypoint.images.masters import Master, master_of, parse_masters
from entrypoint.images.validate import Verdict, validate
from entrypoint.limits import SETTINGS_BYTES
from entrypoint.report import table


def read_archive(archive: str) -> Image:
    """Return the image in an archive; `-` is stdin.

    Raises:
        MissingInput: it cannot be opened.
        MalformedTrain, IntegrityError: see `read_image`.
    """
    if archive == "-":
        return read_image(sys.stdin.buffer)
    try:
        with Path(archive).open("rb", buffering=0) as file:
            return read_image(file)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise MissingInput(
            "image-missing",
            f"cannot read the archive {archive}: {(error.strerror or 'unreadable').lower()}",
            hint="give the path of a file that docker save, podman save or skopeo copy has made",
        ) from None


def validate_image(image: str, masters: list[Master]) -> Verdict:
    """Return the verdict on the image in an archive; `-` is stdin."""
    return validate(read_archive(image), masters)


def describe_image(archive: str) -> Master:
    """Return the entry of the master image in an archive; `-` is stdin."""
    return master_of(read_archive(archive), Path(archive).stem)


def read_masters(path: Path) -> list[Master]:
    """Return the master images in a `masters.json`.

    Raises:
        SettingsError: it is missing, cannot be read, or is malformed.
    """
    try:
        data = read_bounded(path, SETTINGS_BYTES)
    except OSError as error:
        raise SettingsError(
            "masters-unreadable",
            f"cannot read {path}: {(error.strerror or 'it is unreadable').lower()}",
            hint="give --masters the file that pht describe-image MASTER.tar has printed, or "
            "--master the archive of the master image",
        ) from None
    return parse_masters(data, str(path))


def verdict_text(verdict: Verdict, *, as_json: bool) -> str:
    """Return a verdict as a table for people, or as JSON.

    The table names the image by all its digests, since engines call it by different ones.
    """
    if as_json:
        return json.dumps(_facts(verdict), indent=2)
    rows = [
        ("refused" if found.refused else "named", found.code, found.where, found.what, found.why)
        for found in verdict.differences
    ]
    shown = table(("", "code", "where", "what", "why it matters"), rows) + "\n" if rows else ""
    result = "accepted" if verdict.accepted else "refused"
    end = [("image", " ".join(verdict.ids)), ("master image", verdict.master or "unknown")]
    return shown + "".join(f"{name}: {value}\n" for name, value in [*end, ("verdict", result)])


def _facts(verdict: Verdict) -> dict[str, object]:
    differences = [
        {**asdict(found), "why": found.why, "refused": found.refused}
        for found in verdict.differences
    ]
    return {"accepted": verdict.accepted, **asdict(verdict), "differences": differences}
