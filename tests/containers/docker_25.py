"""Writes an archive of `docker save` as Docker 25 and newer write it: an OCI layout as well."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

KIND = "application/vnd.oci.image"


def as_of_docker_25(saved: Path, output: Path) -> None:
    """Convert the archive of an older Docker, which has one image."""
    with tarfile.open(saved) as old, tarfile.open(output, "w") as new:
        [image] = json.loads(_read(old, "manifest.json"))
        config = _add(new, _read(old, image["Config"]))
        layers = [_add(new, _read(old, name)) for name in image["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{KIND}.manifest.v1+json",
            "config": {"mediaType": f"{KIND}.config.v1+json", **config},
            "layers": [{"mediaType": f"{KIND}.layer.v1.tar", **layer} for layer in layers],
        }
        found = {"mediaType": f"{KIND}.manifest.v1+json", **_add(new, _json(manifest))}
        index = {"schemaVersion": 2, "mediaType": f"{KIND}.index.v1+json", "manifests": [found]}
        _write(new, "index.json", _json(index))
        plain = {
            "Config": _path(config),
            "RepoTags": image["RepoTags"],
            "Layers": [_path(layer) for layer in layers],
            "LayerSources": {
                layer["digest"]: {"mediaType": f"{KIND}.layer.v1.tar", **layer} for layer in layers
            },
        }
        _write(new, "manifest.json", _json([plain]))
        _write(new, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _add(archive: tarfile.TarFile, data: bytes) -> dict[str, Any]:
    """Add a blob unless it is there, and return what refers to it."""
    found = {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}
    if _path(found) not in archive.getnames():
        _write(archive, _path(found), data)
    return found


def _path(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _write(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
