"""The station's list of master images: `masters.json`, and the entry that describes an image."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from entrypoint.errors import OPERATOR, IntegrityError, SettingsError
from entrypoint.files.strict_json import BadJson, Document, parse_json
from entrypoint.images.archive import Image
from entrypoint.images.settings_rules import COMPARED, PLATFORM
from entrypoint.limits import IMAGE_DOCUMENT_DEPTH

_VERSION = 1
_SETTINGS = (*COMPARED, "Env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """A master image that the station has approved.

    Attributes:
        name: for messages.
        id: the digest of its configuration.
        layers: the digests of its uncompressed layers, the lowest first.
        platform: the values of its keys in PLATFORM.
        config: how the engine starts its containers: the keys of COMPARED and `Env`.
    """

    name: str
    id: str
    layers: tuple[str, ...]
    platform: Mapping[str, Any]
    config: Mapping[str, Any]


def master_of(image: Image, name: str) -> Master:
    """Return the entry of a master image; `name` is for an image without a tag.

    Raises:
        IntegrityError: its archive is not whole, not what it claims to be, or holds a train.
    """
    if any(layer.config for layer in image.layers):
        raise IntegrityError(
            "master-unusable",
            f"the archive of the master image {name} holds a train: every image on top of it would "
            "be accepted with whatever this one starts",
            hint="save the master image itself, from where you trust it",
            by=OPERATOR,
        )
    unreadable = [d for layer in image.layers for d in layer.findings if not d.where]
    for difference in (*image.differences, *unreadable):
        if difference.refused:
            problem = f"{difference.where} {difference.what}".strip()
            raise IntegrityError(
                "master-unusable",
                f"the archive of the master image {name} cannot be used: {problem}",
                hint="save the master image again, from where you trust it",
                by=OPERATOR,
            )
    return Master(
        name=image.tags[0] if image.tags else name,
        id=image.ids[0],
        layers=tuple(layer.diff_id for layer in image.layers),
        platform={key: image.document[key] for key in PLATFORM if image.document.get(key)},
        config={key: image.settings[key] for key in _SETTINGS if image.settings.get(key)},
    )


def write_masters(masters: Sequence[Master]) -> str:
    """Return the text of `masters.json`."""
    return json.dumps(
        {"version": _VERSION, "masters": [asdict(master) for master in masters]}, indent=2
    )


def parse_masters(data: bytes, path: str) -> list[Master]:
    """Return the masters of a `masters.json`; `path` is for messages.

    Raises:
        SettingsError: it is not what `describe-image` writes.
    """
    try:
        document = parse_json(data, IMAGE_DOCUMENT_DEPTH)
    except BadJson as problem:
        raise _malformed(path, str(problem)) from None
    match document:
        case {"version": 1, "masters": [_, *_] as entries} if len(document) == 2:
            return [_master(entry, path) for entry in entries]
    raise _malformed(path, "is no list of masters of version 1, or an empty one")


def _master(entry: Any, path: str) -> Master:
    match entry:
        case {
            "name": str(name),
            "id": str(image_id),
            "layers": [_, *_] as layers,
            "platform": dict(platform),
            "config": dict(config),
        } if len(entry) == 5 and _are_texts(layers) and _is_config(config):
            return Master(
                name=name, id=image_id, layers=tuple(layers), platform=platform, config=config
            )
    raise _malformed(path, "has an entry that is not as describe-image writes it")


def _is_config(config: Document) -> bool:
    variables = config.get("Env", [])
    return (
        config.keys() <= {*_SETTINGS} and _are_texts(variables) and all("=" in v for v in variables)
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _malformed(path: str, problem: str) -> SettingsError:
    return SettingsError(
        "masters-malformed",
        f"{path} {problem}",
        hint="make it again with pht describe-image MASTER.tar",
    )
