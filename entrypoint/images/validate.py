"""Compares a train's image with the master images that the station has approved."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from entrypoint.files.strict_json import BadJson, parse_json
from entrypoint.images import settings_rules
from entrypoint.images.archive import Image
from entrypoint.images.differences import Difference
from entrypoint.images.entry_rules import MOUNT_POINTS, Rights
from entrypoint.images.layer import Layer
from entrypoint.images.masters import Master
from entrypoint.limits import (
    CONFIG_DEPTH,
    IMAGE_DIFFERENCES,
    IMAGE_DOCUMENT_VALUES,
    IMAGE_TRAIN_CONFIG_BYTES,
)

_RARE = re.compile(rb"[^\x00-\x7f]|\\u[dD][89abAB]")
"""A character beyond ASCII, which all writers escape, or the escape of one beyond 16 bits."""

_RARE_FACTOR = 4
"""Factor by which a text takes more memory if one of its characters is rare."""

_NEW_FOLDER = Rights(0, 0, 0o755)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of comparing an image.

    Attributes:
        ids: the digests by which engines call it; the first is that of its configuration.
        master: the name of the master image that it is built on; None if it is none of the list.
        differences: all differences, also those for which it is not refused.
    """

    ids: tuple[str, ...]
    master: str | None
    differences: tuple[Difference, ...]

    @property
    def accepted(self) -> bool:
        """True if the image is the master image with a train in it, and nothing else."""
        return not any(difference.refused for difference in self.differences)


def validate(image: Image, masters: Sequence[Master]) -> Verdict:
    """Return the verdict on a train's image.

    If it is built on several masters, as when one stands on another, the one that fits best counts.
    """
    own = tuple(layer.diff_id for layer in image.layers)
    below = [master for master in masters if own[: len(master.layers)] == master.layers]
    verdicts = [_verdict(image, master) for master in below]
    if not verdicts:
        text = f"its layers begin like none of the {len(masters)} known master images"
        unknown = Difference("master-unknown", "layers", text)
        return Verdict(ids=image.ids, master=None, differences=(*image.differences, unknown))
    return min(verdicts, key=lambda verdict: sum(d.refused for d in verdict.differences))


def _verdict(image: Image, master: Master) -> Verdict:
    count = len(master.layers)
    differences = chain(
        image.differences,
        _layer_differences(image.layers[:count], image.layers[count:]),
        settings_rules.differences(image.document, master.platform, master.config),
        _command_differences(image.settings, image.layers[count:]),
    )
    listed = list(islice(differences, IMAGE_DIFFERENCES))
    if next(differences, None):
        listed.append(Difference("more-findings", "image", "has more differences"))
    return Verdict(ids=image.ids, master=master.name, differences=tuple(listed))


def _layer_differences(below: Sequence[Layer], own: Sequence[Layer]) -> Iterator[Difference]:
    """Yield what the train's own layers may not have; `below` are the master's."""
    folders = {path: rights for layer in below for path, rights in layer.folders.items()}
    links = frozenset[int]().union(*(layer.links for layer in own))
    for number, layer in enumerate(own, start=len(below) + 1):
        name = f"layer {number}"
        for found in layer.findings:
            yield Difference(
                found.code, f"{name}: {found.where}" if found.where else name, found.what
            )
        if layer.more:
            yield Difference("more-findings", name, f"has {layer.more} more differences")
        if layer.real & links:
            text = "has a link or a hard link that leads over another link"
            yield Difference("link-outside", name, text)
        yield from _folder_differences(name, layer, folders)


def _folder_differences(
    name: str, layer: Layer, folders: dict[bytes, Rights]
) -> Iterator[Difference]:
    for path, rights in layer.folders.items():
        where = f"{name}: /{path.decode()}"
        if rights != folders.get(path, _NEW_FOLDER):
            text = f"has {rights}, in the master image {folders.get(path, _NEW_FOLDER)}"
            yield Difference("folder-changed", where, text)
        elif path in MOUNT_POINTS:
            yield Difference("mount-point", where, "is empty")


def newest_config(layers: Sequence[Layer]) -> bytes | None:
    """Return the bytes of train_config.json in the topmost layer that has one."""
    for layer in reversed(layers):
        if layer.config is not None:
            return layer.config or None
    return None


def _command_differences(own: dict[str, Any], layers: Sequence[Layer]) -> Iterator[Difference]:
    files = None
    try:
        files = _signed_files(newest_config(layers))
    except BadJson as problem:
        yield Difference("train-config-unusable", "/opt/train_config.json", str(problem))
    yield from settings_rules.command_differences(own, files)


def _signed_files(data: bytes | None) -> list[str]:
    """Return the list of signed files, of either generation.

    Raises:
        BadJson: there is none, or it is malformed.
    """
    if data is None:
        raise BadJson("is not in the image")
    if len(data) * (_RARE_FACTOR if _RARE.search(data) else 1) > IMAGE_TRAIN_CONFIG_BYTES:
        raise BadJson("takes too much memory")
    document = parse_json(data, CONFIG_DEPTH, IMAGE_DOCUMENT_VALUES)
    match document:
        case {"file_list": _, "immutable_file_list": _}:
            raise BadJson("has two lists of files")
        case {"file_list": [*files]} | {"immutable_file_list": [*files]}:
            return [str(name).removeprefix("./") for name in files]
    raise BadJson("has no list of files")
