"""Finds the one image in the documents of an archive, whatever form the archive has."""

from collections.abc import Mapping, Set
from typing import Any

from entrypoint.errors import OPERATOR, IntegrityError
from entrypoint.files.strict_json import BadJson, Document, parse_json
from entrypoint.images.differences import Difference
from entrypoint.limits import IMAGE_DOCUMENT_DEPTH, IMAGE_DOCUMENT_VALUES

_MANIFEST, _INDEX = "manifest.json", "index.json"
_OLD_CONFIG = "/json"
"""End of the name of a configuration where Docker looks for images if there is no manifest.json."""

_KEYS = {"schemaVersion", "mediaType", "annotations", "subject", "artifactType"}
_KEYS_OF_INDEX = _KEYS | {"manifests"}
_KEYS_OF_MANIFEST = _KEYS | {"config", "layers"}
_ATTESTATION = "application/vnd.in-toto+json"
_NO_PLATFORM = {"architecture": "unknown", "os": "unknown"}
"""Platform of an attestation, so that no engine takes it for an image."""

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
        self._documents = documents
        self.configs: dict[str, None] = {}
        self.layers: list[list[str]] = []
        self.ids: dict[str, None] = {}
        self.tags: dict[str, None] = {}
        self.differences: list[Difference] = []
        if not {_MANIFEST, _INDEX} & digests.keys():
            raise BadArchive("it has neither a manifest.json nor an index.json")
        if _MANIFEST in digests:
            self._read_manifest(self.document(digests[_MANIFEST], _MANIFEST))
        elif any(name.endswith(_OLD_CONFIG) for name in digests):
            raise BadArchive("it holds an image of Docker before 1.10, which newer ones load too")
        if _INDEX in digests:
            self._read_index(self.document(digests[_INDEX], _INDEX), _INDEX, _NESTED)

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
        return digest, _mapping(self.document(digest, "the configuration"), "the configuration")

    def document(self, digest: str, name: str) -> Any:
        """Return the contents of a JSON document; `name` is for messages."""
        data = self._documents.get(digest)
        if data is None:
            raise BadArchive(f"{name} is missing, too large, or no JSON")
        if sum(map(data.count, (b",", b"[", b"{"))) > IMAGE_DOCUMENT_VALUES:
            raise BadArchive(f"{name} holds too many values")
        try:
            # Engines do not tell keys apart by case.
            return parse_json(data, IMAGE_DOCUMENT_DEPTH, same_key=str.casefold)
        except BadJson as problem:
            raise BadArchive(f"{name} {problem}") from None

    def _read_manifest(self, images: Any) -> None:
        """Read manifest.json of a docker-archive."""
        for image in _list(images, _MANIFEST):
            entry = _mapping(image, _MANIFEST)
            path = entry.get("Config")
            if not isinstance(path, str) or path not in self._digests:
                raise BadArchive(f"{_MANIFEST} names a configuration that it does not hold")
            self.configs[self._digests[path]] = None
            names = _list(entry.get("Layers"), _MANIFEST)
            self.layers.append([self._stored.get(str(name), "") for name in names])
            for tag in _list(entry.get("RepoTags") or [], _MANIFEST):
                self.tags[str(tag)] = None

    def _read_index(self, index: Any, name: str, levels: int) -> bool:
        """Read an index; return whether it leads to an image."""
        if not levels:
            raise BadArchive("its indexes are nested too deep")
        found = False
        _refuse_other_keys(_mapping(index, name), _KEYS_OF_INDEX, name)
        for value in _list(index.get("manifests"), name):
            descriptor = _mapping(value, name)
            digest = descriptor.get("digest")
            if not isinstance(digest, str):
                raise BadArchive(f"{name} has a descriptor without a digest")
            if digest not in self._documents:
                self._note_absent(digest, descriptor)
            elif self._read_manifest_or_index(digest, descriptor.get("platform"), levels):
                found = True
                self.ids[digest] = None
                annotations = _mapping(descriptor.get("annotations") or {}, name)
                self.tags |= {str(annotations[key]): None for key in _NAMES if key in annotations}
        return found

    def _read_manifest_or_index(self, digest: str, platform: Any, levels: int) -> bool:
        document = _mapping(self.document(digest, digest), digest)
        if "manifests" in document:
            return self._read_index(document, digest, levels - 1)
        _refuse_other_keys(document, _KEYS_OF_MANIFEST, digest)
        layers = [_mapping(layer, digest) for layer in _list(document.get("layers"), digest)]
        attests = bool(layers) and all(layer.get("mediaType") == _ATTESTATION for layer in layers)
        if attests and platform == _NO_PLATFORM:
            return False
        config = _mapping(document.get("config"), digest).get("digest")
        if not isinstance(config, str):
            raise BadArchive(f"{digest} names no configuration")
        self.configs[config] = None
        self.layers.append([str(layer.get("digest")) for layer in layers])
        for annotated in (document, *layers):
            for key in _mapping(annotated.get("annotations") or {}, digest):
                if not key.startswith(_HARMLESS_ANNOTATIONS):
                    text = f"has the annotation {key}"
                    self.differences.append(Difference("annotation-refused", "manifest", text))
        return True

    def _note_absent(self, digest: str, descriptor: Document) -> None:
        text = f"the index names {digest} too, which the archive does not hold"
        self.differences.append(Difference("platforms-absent", "index", text))


def _refuse_other_keys(document: Document, known: Set[str], name: str) -> None:
    """Refuse a document that an engine could read as one of another kind."""
    if others := document.keys() - known:
        raise BadArchive(f"{name} has the key {min(others)}, which does not belong there")


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadArchive(f"{name} has no list where one belongs")
    return value


def _mapping(value: Any, name: str) -> Document:
    if not isinstance(value, dict):
        raise BadArchive(f"{name} has no object where one belongs")
    return value
