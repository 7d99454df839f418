"""The walk of a folder gives what the engine's own archives give, for the hash is made of those."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from entrypoint.files.tree import Kind, walk
from tests.containers.engine import Engine

WRITE_RESULTS = """
import os
for name in ["a/z", "a/b/c", "a-b", "a.txt", "B", "z", "\\u00e9", "\\U0001f682"]:
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    open(name, "w").close()
os.makedirs("empty")
os.link("z", "Z-again")
os.symlink("a", "link")
"""


def test_a_tree_is_walked_in_the_order_of_the_engines_archive(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", WRITE_RESULTS], cwd=tmp_path, check=True)
    options = ["--workdir", "/opt/pht_results"]
    container = engine.create(base_image, "python3", "-c", WRITE_RESULTS, options=options)
    assert engine.start(container).status == 0
    with tarfile.open(fileobj=io.BytesIO(engine.copy_out(container, "/opt/pht_results"))) as tar:
        _, *archived = [(member.name.partition("/")[2], _kind(member)) for member in tar]
    assert archived == [(entry.path, entry.kind) for entry in walk(tmp_path)]


def _kind(member: tarfile.TarInfo) -> Kind:
    if member.isdir():
        return Kind.DIRECTORY
    if member.issym():
        return Kind.SYMLINK
    return Kind.HARD_LINK if member.islnk() else Kind.FILE
