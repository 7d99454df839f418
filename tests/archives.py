"""Builds archives of images in memory, entry by entry, so that each byte can be a hostile one."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR = b"ustar\x0000"
GNU = b"ustar  \x00"

FILE, HARD_LINK, SYMLINK, FOLDER = b"0", b"1", b"2", b"5"


def header(
    name: bytes,
    kind: bytes = FILE,
    *,
    size: int = 0,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    link: bytes = b"",
    magic: bytes = USTAR,
    **raw: bytes,
) -> bytes:
    """Return the header of a tar entry, with its checksum.

    Args:
        name, kind, size, mode, uid, gid, link, magic: the usual fields.
        raw: bytes to put at an offset of the header, named `at_OFFSET`.
    """
    block = bytearray(BLOCK)
    fields = [(0, name[:100]), (100, b"%07o\0" % mode), (108, b"%07o\0" % uid)]
    fields += [(116, b"%07o\0" % gid), (124, b"%011o\0" % size), (136, b"%011o\0" % 0)]
    fields += [(156, kind), (157, link[:100]), (257, magic)]
    fields += [(int(key.removeprefix("at_")), value) for key, value in raw.items()]
    for offset, value in fields:
        block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry(
    name: str | bytes,
    content: bytes = b"",
    kind: bytes = FILE,
    *,
    pax: Mapping[str, str | bytes] | None = None,
    **fields: Any,
) -> bytes:
    """Return a tar entry: a PAX header if there are records, the header, and the padded content.

    Args:
        name, content, kind: of the entry.
        pax: records of its PAX header.
        fields: see `header`; `size` is that of the content unless it is given.
    """
    path = name.encode() if isinstance(name, str) else name
    fields = {"size": len(content), "mode": 0o755 if kind == FOLDER else 0o644} | fields
    extended = pax_header(pax) if pax else b""
    return extended + header(path, kind, **fields) + padded(content)


def pax_header(records: Mapping[str, str | bytes], kind: bytes = b"x") -> bytes:
    """Return a PAX header with its records; `kind` `g` makes it a global one."""
    data = b"".join(_record(key.encode(), value) for key, value in records.items())
    return header(b"PaxHeaders/0", kind, size=len(data)) + padded(data)


def _record(key: bytes, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    rest = b" %s=%s\n" % (key, data)
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return b"%d%s" % (length, rest)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """Return the extra header of GNU tar with a long name, or with `K` a long link."""
    data = name + b"\0"
    return header(b"././@LongLink", kind, size=len(data), magic=GNU) + padded(data)


def padded(content: bytes) -> bytes:
    """Return the content with zeros up to the next block."""
    return content + bytes(-len(content) % BLOCK)


def folder(name: str, **fields: Any) -> bytes:
    """Return the entry of a folder."""
    return entry(f"{name}/", kind=FOLDER, **fields)


def tar(*entries: bytes) -> bytes:
    """Return an archive of these entries."""
    return b"".join(entries) + END


def sha256(data: bytes) -> str:
    """Return the digest of some data as image documents write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


OPT = folder("opt", mode=0o1777)
MASTER_LAYERS = [
    tar(folder("etc"), entry("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), folder("run"), OPT),
    tar(folder("usr"), entry("usr/runner", b"#!\n", mode=0o755)),
]
MASTER_SETTINGS: Json = {
    "Entrypoint": ["/usr/runner", "--as-entrypoint"],
    "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"],
    "User": "root",
}
TRAIN_CONFIG = json.dumps({"file_list": ["train.py"]}).encode()
COMMAND = ["python", "/opt/pht_train/train.py"]


def train_layer(*more: bytes) -> bytes:
    """Return the layer of a train that has nothing unusual, and more entries."""
    return tar(
        OPT,
        folder("opt/pht_results"),
        folder("opt/pht_train"),
        entry("opt/pht_train/train.py", b"print()\n"),
        entry("opt/train_config.json", TRAIN_CONFIG),
        *more,
    )


def image_config(
    layers: Sequence[bytes], settings: Mapping[str, Any] | None = None, **document: Any
) -> bytes:
    """Return the configuration of an image: the master's settings with these changes.

    Args:
        layers: its uncompressed layers.
        settings: changes of the keys of `config`; None removes one.
        document: changes of the other keys.
    """
    config = {**MASTER_SETTINGS, "Cmd": COMMAND, **(settings or {})}
    facts = {
        "architecture": "amd64",
        "os": "linux",
        "config": {key: value for key, value in config.items() if value is not None},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
    }
    return json.dumps({**facts, **document}).encode()


def docker_archive(layers: Sequence[bytes], config: bytes) -> bytes:
    """Return an archive as `docker save` has written it up to version 24."""
    names = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    config_name = f"{sha256(config).removeprefix('sha256:')}.json"
    manifest = [{"Config": config_name, "RepoTags": ["train:latest"], "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    files |= {config_name: config, "manifest.json": json.dumps(manifest).encode()}
    return tar(*(entry(name, content) for name, content in files.items()))


def oci_archive(layers: Sequence[bytes], config: bytes, *, compressed: bool = True) -> bytes:
    """Return an OCI layout in a tar, as `skopeo copy` writes it, its blobs in their order."""
    return layout({}, *oci_blobs(layers, config, compressed=compressed))


def oci_blobs(
    layers: Sequence[bytes], config: bytes, *, compressed: bool
) -> tuple[list[bytes], Json]:
    """Return the blobs of an image, and the descriptor of its manifest."""
    blobs = [gzip.compress(layer, 1, mtime=0) if compressed else layer for layer in layers]
    kind = "application/vnd.oci.image.layer.v1.tar" + "+gzip" * compressed
    manifest = {
        "schemaVersion": 2,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(blob, kind) for blob in blobs],
    }
    data = json.dumps(manifest).encode()
    return [*blobs, config, data], descriptor(data, "application/vnd.oci.image.manifest.v1+json")


def descriptor(blob: bytes, kind: str) -> Json:
    """Return the descriptor of a blob."""
    return {"mediaType": kind, "digest": sha256(blob), "size": len(blob)}


def layout(files: Mapping[str, bytes], blobs: Sequence[bytes], *manifests: Json) -> bytes:
    """Return an OCI layout in a tar, with an index of these manifests and more files."""
    index = {"schemaVersion": 2, "manifests": list(manifests)}
    named = {f"blobs/sha256/{sha256(blob).removeprefix('sha256:')}": blob for blob in blobs}
    named = dict(sorted(named.items())) | {
        "index.json": json.dumps(index).encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        **files,
    }
    folders = [folder("blobs"), folder("blobs/sha256")]
    return tar(*folders, *(entry(name, content) for name, content in named.items()))


MASTER = docker_archive(MASTER_LAYERS, image_config(MASTER_LAYERS, {"Cmd": None}))


def train_archive(*entries: bytes, settings: Mapping[str, Any] | None = None) -> bytes:
    """Return the archive of a train on MASTER, with more entries and changed settings."""
    layers = [*MASTER_LAYERS, train_layer(*entries)]
    return docker_archive(layers, image_config(layers, settings))
