"""A train that makes the results what the station's data are, and prints what it found before."""

import json
import os
import subprocess
from pathlib import Path

from listing import listing

results = Path("/opt/pht_results")
data = Path(os.environ["TRAIN_DATA_PATH"])
if data.is_file():  # the only one, which the script of stations names
    data = data.parent

print(json.dumps({"results": listing(results), "train": listing(Path("/opt/pht_train"))}))
for path in sorted(results.rglob("*"), reverse=True):
    if not os.path.lexists(data / path.relative_to(results)):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
subprocess.run(["cp", "--archive", f"{data}/.", results], check=True)
