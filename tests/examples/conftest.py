"""The example's modules import each other as neighbours, as a script does; so do its tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "lung_survival"))
