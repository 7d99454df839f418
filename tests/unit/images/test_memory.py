"""The peak of memory for an archive in which everything is as large as it may be."""

import subprocess
import sys
from pathlib import Path

from tests.archives import (
    MASTER,
    MASTER_LAYERS,
    SYMLINK,
    docker_archive,
    entry,
    header,
    image_config,
    pax_header,
    tar,
)

ROOT = Path(__file__).parents[3]
PROGRAM = """
import re, sys
sys.path.insert(0, sys.argv[1])
from entrypoint.cli.main import main
status = main(["validate-image", *sys.argv[2:]])
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(peak[1], file=sys.stderr)
sys.exit(status)
"""
"""Validates an image and then writes its peak of memory, in KiB."""

MIB = 2**20
RESULTS = b"opt/pht_results/"


def largest() -> bytes:
    """Return an archive with as many paths, links, findings and documents as are remembered."""
    long = [RESULTS + b"\xff" * 180 + b"%d" % number for number in range(1400)]
    found = [pax_header({"path": name}) + header(b"x", mode=0o4755) for name in long]
    paths = [header(RESULTS + b"%d" % number) for number in range(99_000)]
    links = [header(RESULTS + b"l%d" % number, SYMLINK, link=b"x") for number in range(9000)]
    text = b'"' + rb"\u4e2d" + b"x" * (4 * MIB - 100) + b'"'
    config = entry("opt/train_config.json", b'{"a":' + text + b"}")
    more = [[header(b"%d" % number), *found] for number in range(3)]
    own = [tar(*entries) for entries in (*more, paths, [*links, config], links, [config])]
    layers = [*MASTER_LAYERS, *own]
    documents = [entry(f"d{number}", b"{" + b" " * (MIB - 10)) for number in range(9)]
    document = b'{"comment":"\xf0\x9f\x98\x80' + b"x" * (MIB - 5000) + b'",'
    archive = docker_archive(layers, document + image_config(layers)[1:])
    return b"".join([archive.removesuffix(tar()), *documents, tar()])


def test_memory_stays_below_64_mib(tmp_path: Path) -> None:
    train, master = tmp_path / "train.tar", tmp_path / "master.tar"
    train.write_bytes(largest())
    master.write_bytes(MASTER)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, ROOT, "--master", master, train],
        capture_output=True,
        text=True,
        check=False,
    )
    *_, peak = done.stderr.split()
    assert done.returncode == 77
    for code in ("path-outside", "set-id", "more-findings", "train-config-unusable"):
        assert f"refused  {code}" in done.stdout
    assert int(peak) * 1024 < 64 * MIB
