"""Finds the one image in the documents of an archive, whatever form the archive has."""

import re
from collections.abc import Mapping, Set
from typing import Any

from entrypoint.errors import OPERATOR, IntegrityError
from entrypoint.files.strict_json import BadJson, Document, parse_json
from entrypoint.images.differences import Difference
from entrypoint.limits import IMAGE_DOCUMENT_DEPTH, IMAGE_DOCUMENT_VALUES

_MANIFEST, _INDEX = "manifest.json", "index.json"
_OLD_CONFIG = "/json"
"""End of the name of a configuration where Docker looks for images if there is no manifest.json."""

_HARMLESS_ANNOTATIONS = (
    "buildkit/",
    "com.docker.",
    "containerd.io/distribution.source.",
    "org.opencontainers.image.",
    "vnd.docker.",
)
"""Beginnings of annotations that only tools read which build and copy images.

Podman passes those of a manifest on to the runtime, where `run.oci.…` chooses another program;
those of a layer may name another list of its files.
"""

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_NESTED = 4
"""Maximum nesting of indexes."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NO_PLATFORM = {"architecture": "unknown", "os": "unknown"}
"""The platform of attestations, which stand beside an image in its index; no engine runs it."""

_KEYS = {"schemaVersion", "mediaType", "annotations", "subject", "artifactType"}
_KEYS_OF_INDEX = _KEYS | {"manifests"}
_KEYS_OF_MANIFEST = _KEYS | {"config", "layers"}
_READ = {key.casefold(): key for key in ("digest", "platform", "annotations")}
_READ_OF_IMAGE = {key.casefold(): key for key in ("Config", "Layers", "RepoTags")}
"""Keys that are read here, in descriptors and in manifest.json, by their form without case."""


class BadArchive(ValueError):
    """An archive holds no image, or its documents are malformed."""


class Finder:
    """Follows the documents of an archive to the configurations of its images.

    Args:
        digests: of the archive's files, by their names.
        linked: of what its links lead to. Only layers may be links: engines follow links
            differently, and compare layers with the configuration.
        documents: the contents of those that may be JSON, by their digests.

    Attributes:
        configs: the digests of all configurations that an engine could take.
        layers: the digests of the layers as they are in the archive, a list for each manifest.
        ids: the digests of manifests and indexes that lead to one.
        tags: the names of images.
        absent: number of images and platforms that the archive names and does not hold.
        differences: what is wrong with a manifest.
    """

    def __init__(
        self,
        digests: Mapping[str, str],
        linked: Mapping[str, str],
        documents: Mapping[str, bytes],
    ) -> None:
        self._digests = digests
        self._stored = {**linked, **digests}
        self._held = {*digests.values()}
        self._documents = documents
        self.configs: dict[str, None] = {}
        self.layers: list[list[str]] = []
        self.ids: dict[str, None] = {}
        self.tags: dict[str, None] = {}
        self.absent = 0
        self.differences: list[Difference] = []
        self._read: dict[str, bool] = {}
        if not {_MANIFEST, _INDEX} & digests.keys():
            raise BadArchive("it has neither a manifest.json nor an index.json")
        if _MANIFEST in digests:
            self._read_manifest(self.document(digests[_MANIFEST], _MANIFEST))
        elif any(name.endswith(_OLD_CONFIG) for name in digests):
            raise BadArchive("it holds an image of Docker before 1.10, which newer ones load too")
        if _INDEX in digests:
            self._read_index(self.document(digests[_INDEX], _INDEX), _INDEX, 0)

    def config(self) -> tuple[str, Document]:
        """Return the digest and the contents of the one configuration.

        Raises:
            IntegrityError: there are several.
            BadArchive: there is none, or it is malformed.
        """
        if not self.configs:
            raise BadArchive("it holds no image")
        if len(self.configs) > 1:
            raise IntegrityError(
                "several-images",
                f"the archive holds {len(self.configs)} images, or images for several platforms: "
                f"{', '.join(self.configs)}",
                hint="save only one image, for one platform; if manifest.json and index.json "
                "mean different images, do not load this archive",
                by=OPERATOR,
            )
        [digest] = self.configs
        name = "the configuration"
        return digest, _object(self.document(digest, name), name, {})

    def document(self, digest: str, name: str) -> Any:
        """Return the contents of a JSON document; `name` is for messages."""
        data = self._documents.get(digest)
        if data is None:
            raise BadArchive(f"{name} is missing, too large, or no JSON")
        try:
            return parse_json(data, IMAGE_DOCUMENT_DEPTH, IMAGE_DOCUMENT_VALUES)
        except BadJson as problem:
            raise BadArchive(f"{name} {problem}") from None

    def _read_manifest(self, images: Any) -> None:
        """Read manifest.json of a docker-archive."""
        for value in _list(images, _MANIFEST):
            image = _object(value, _MANIFEST, _READ_OF_IMAGE)
            path = image.get("Config")
            if not isinstance(path, str) or path not in self._digests:
                raise BadArchive(f"{_MANIFEST} names a configuration that it does not hold")
            self.configs[self._digests[path]] = None
            names = _list(image.get("Layers"), _MANIFEST)
            self.layers.append([self._stored.get(str(name), "") for name in names])
            for tag in _list(image.get("RepoTags") or [], _MANIFEST):
                self.tags[str(tag)] = None

    def _read_index(self, index: Any, name: str, level: int) -> bool:
        """Read an index, at a level of nesting; return whether it leads to an image."""
        if level == _NESTED:
            raise BadArchive("its indexes are nested too deep")
        found = False
        _refuse_other_keys(_object(index, name), _KEYS_OF_INDEX, name)
        for value in _list(index.get("manifests"), name):
            descriptor = _object(value, name)
            if level and descriptor.get("platform") == _NO_PLATFORM:
                continue
            digest = _digest(descriptor, name)
            if digest not in self._held:
                self.absent += 1
            elif self._read_described(digest, level):
                found = True
                self.ids[digest] = None
                annotations = _object(descriptor.get("annotations") or {}, name)
                self.tags |= {str(annotations[key]): None for key in _NAMES if key in annotations}
        return found

    def _read_described(self, digest: str, level: int) -> bool:
        """Read a manifest or an index once; return whether it leads to an image."""
        if digest not in self._read:
            document = _object(self.document(digest, digest), digest)
            if "manifests" in document:
                self._read[digest] = self._read_index(document, digest, level + 1)
            else:
                self._read_oci_manifest(document, digest)
                self._read[digest] = True
        return self._read[digest]

    def _read_oci_manifest(self, manifest: Document, digest: str) -> None:
        _refuse_other_keys(manifest, _KEYS_OF_MANIFEST, digest)
        layers = [_object(layer, digest) for layer in _list(manifest.get("layers"), digest)]
        self.configs[_digest(_object(manifest.get("config"), digest), digest)] = None
        self.layers.append([_digest(layer, digest) for layer in layers])
        for annotated in (manifest, *layers):
            annotations = _object(annotated.get("annotations") or {}, digest, {})
            if unknown := [key for key in annotations if not key.startswith(_HARMLESS_ANNOTATIONS)]:
                text = f"has the annotation {unknown[0]}"
                self.differences.append(Difference("annotation-refused", "manifest", text))


def _refuse_other_keys(document: Document, known: Set[str], name: str) -> None:
    """Refuse a document that an engine could read as one of another kind."""
    if others := document.keys() - known:
        raise BadArchive(f"{name} has the key {min(others)}, which does not belong there")


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadArchive(f"{name} has no list where one belongs")
    return value


def _object(value: Any, name: str, keys: Mapping[str, str] = _READ) -> Document:
    """Return an object; refuse one that has a key in other case, which engines do not tell apart.

    Args:
        value: the object.
        name: for messages.
        keys: those that are read, by their form without case.
    """
    if not isinstance(value, dict):
        raise BadArchive(f"{name} has no object where one belongs")
    for key in value:
        if keys.get(key.casefold(), key) != key:
            raise BadArchive(f"{name} has the key {key!r} in the place of another")
    return value


def _digest(descriptor: Document, name: str) -> str:
    digest = descriptor.get("digest")
    if isinstance(digest, str) and _DIGEST.fullmatch(digest):
        return digest
    raise BadArchive(f"{name} has a descriptor without a SHA-256")
