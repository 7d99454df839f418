"""What sealing takes on the disk is foretold: never too little, and not much too much."""

import ast
from pathlib import Path

import pytest

from entrypoint.crypto.file_cipher import transform
from entrypoint.train_config import read
from tests import reference, reference_route
from tests.mount_namespace import run_python

pytestmark = pytest.mark.slow

CONFIGS = {
    "flat": reference.VECTORS / reference.STAGES[1] / "train_config.json",
    "route": reference_route.VECTORS / reference.STAGES[1] / "train_config.json",
}
KIB = 1024

SEALS_IN_WHAT_IS_FORETOLD = """
import os, subprocess, sys
from pathlib import Path
from unittest.mock import patch
from entrypoint.linux.disk import free_bytes
from entrypoint.protocol import seal
from entrypoint.train_config import read
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.visit import disk_space

here = Path(sys.argv[1])
config = read(Path({config!r}).read_bytes())
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", here], check=True)
tree = here / "pht_results"
(tree / "folder").mkdir(parents=True)
for number, size in enumerate({sizes}):
    (tree / ("folder" if number % 2 else ".") / f"{{number:04}}").write_bytes(bytes(size))
for number, size in enumerate({sparse}):
    os.truncate(os.open(tree / f"sparse{{number}}", os.O_CREAT | os.O_WRONLY), size)
for number in range({links}):
    os.link(tree / "0000", tree / f"link{{number}}")

with patch.object(disk_space, "SEAL_BATCH_BYTES", 512 * 1024):
    foretold = disk_space.space_to_seal(tree, "", config.cipher.sealed_bytes)
work = WorkFolder(tree)
least = free_bytes(here)
(here / "filler").write_bytes(bytes(least - foretold.more))
least = free_bytes(here)

def look():
    global least
    least = min(least, free_bytes(here))

def flush_and_look(file, flush_file=seal.flush_file):
    flush_file(file)
    look()  # the whole file is there now, beside the one that it replaces

with (
    patch.object(seal, "SEAL_BATCH_BYTES", 512 * 1024),
    patch.object(seal, "flush_file", flush_and_look),
):
    seal._Sealing(config, config.cipher.generate_key(), work, None, look).seal_all()
look()
print((foretold.now, foretold.more, least))
"""

TREES: dict[str, tuple[list[int], list[int], int]] = {
    "one large file": ([8 * KIB * KIB], [], 0),
    "many small files": ([10 * KIB] * 400, [], 0),
    "tiny files": ([1] * 500, [], 0),
    "empty files": ([0] * 500, [], 0),
    "large files": ([1100 * KIB] * 12, [], 0),
    "a mix": ([100 * KIB, 3 * KIB * KIB, 10 * KIB, 900 * KIB] * 5, [], 0),
    "small before large": ([300 * KIB] * 20 + [6 * KIB * KIB], [], 0),
    "holes": ([10 * KIB], [8 * KIB * KIB, 500 * KIB], 0),
    "many names of one file": ([3 * KIB * KIB], [], 4),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("sizes", "sparse", "links"), TREES.values(), ids=TREES.keys())
def test_a_tree_can_be_sealed_in_what_was_foretold(
    sizes: list[int], sparse: list[int], links: int, config: Path, tmp_path: Path
) -> None:
    code = SEALS_IN_WHAT_IS_FORETOLD.format(
        config=str(config), sizes=sizes, sparse=sparse, links=links
    )
    now, more, least = ast.literal_eval(run_python(code, tmp_path))
    assert links or now >= sum(sizes)
    assert least < 0.2 * more + 600 * KIB


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("size", [*range(100), 4096, 100_003])
def test_the_length_of_a_sealed_file_is_known_before(size: int, config: Path) -> None:
    cipher = read(config.read_bytes()).cipher
    first, second = cipher.encryptor(cipher.generate_key(), bytes(16))
    sealed = b"".join(transform(second, transform(first, [bytes(size)])))
    assert cipher.sealed_bytes(size) == len(sealed)
