"""The row of `pht doctor` about the disk, on a real mount."""

import ast
from pathlib import Path

from tests.mount_namespace import run_python
from tests.other_user import needs_root

CODE = """
import os, subprocess, sys
from pathlib import Path
from entrypoint.model import Paths
from entrypoint.station.inputs import Inputs
from entrypoint.station.machine_rows import disk_row
root = Path("/mnt")  # any user may get there
def row():
    found = disk_row("disk", Inputs.read(Paths(root), {}, in_container=True).settings())
    return (str(found.verdict), "do not belong to a train" in found.found)
def write(file):
    file.open("wb").truncate(100 * 1024**2)
def mount(folder, place):
    subprocess.run(["mount", "--bind", folder, place], check=True)
mount(sys.argv[1], root)
root.chmod(0o755)
found = [row()]
claim = root / "claim"
volume = root / "volumes" / ("0" * 64) / "_data"
for folder in claim, volume / "closed", root / "opt", root / "elsewhere":
    folder.mkdir(parents=True)
write(claim / "large")
mount(claim, root / "opt")
found.append(row())
(volume / "closed" / "file").touch()
(volume / "link").symlink_to(root / "elsewhere")
(volume / "closed").chmod(0o744)
os.chown(volume, 65534, 65534)
mount(volume, root / "opt")
large = [root / "elsewhere" / "large", root / "opt" / "train_config.json", root / "opt" / "large"]
os.setresuid(65534, 65534, 0)
for files in large[:2], large[2:]:
    os.setresuid(-1, 0, -1)
    for file in files:
        write(file)
    os.setresuid(-1, 65534, -1)
    found.append(row())
print(found)
"""


@needs_root
def test_only_what_a_volume_would_copy_is_counted(tmp_path: Path) -> None:
    """Neither a missing /opt nor a closed folder in it is an error."""
    assert ast.literal_eval(run_python(CODE, tmp_path)) == [
        ("ok", False),
        ("ok", False),
        ("ok", False),
        ("warning", True),
    ]
