"""Writes caches where libraries do: in the home folder, in /tmp and beside its modules."""

import importlib
import os
import pickle
import py_compile
import sys
import tempfile
from pathlib import Path

import patients

home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numerics"
home.mkdir(parents=True, exist_ok=True)
(home / "kernel.pickle").write_bytes(pickle.dumps([1, 2, 3]))
os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp()
Path(os.environ["MPLCONFIGDIR"], "fonts.json").write_text("{}")
Path("/tmp/kernel.lock").touch()
# As libraries do that keep compiled functions beside the source, if the folder lets them.
py_compile.compile(patients.__file__)
sys.pycache_prefix = str(home)
importlib.reload(patients)

with Path("/opt/pht_results/oldest.txt").open("a") as result:
    print(patients.oldest(os.environ["TRAIN_DATA_PATH"]), file=result)
