"""Which layers of protection a train has, as a line of the log and the status line say."""

import os
from pathlib import Path

from tests.station import new_train, settle, visit
from tests.unprotected import UNPROTECTED

SCRIPT = """
import os, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
status = pathlib.Path("/proc/self/status").read_text()
print(os.getuid(), status.split("CapEff:")[1].split()[0])
"""
NO_CAPABILITIES = "0000000000000000"


def settled(root: Path, script: str) -> Path:
    """Lay out a train at its first stop and return the station's key file."""
    new_train(root, SCRIPT + script)
    settle(root, "station_1")
    return root / "run" / "pht" / "private_key.pem"


def test_without_landlock_and_another_user_only_capabilities_are_taken(tmp_path: Path) -> None:
    key = settled(
        tmp_path,
        f"""
config = results.parent / "train_config.json"
config.rename(results.parent / "renamed").rename(config)
print(len(open({str(tmp_path / "run/pht/private_key.pem")!r}, "rb").read()))
""",
    )

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["layers"]) == (0, "caps,seccomp"), done.stderr
    assert "pht: layers of protection: caps, seccomp" in done.lines
    uid, length = os.getuid(), key.stat().st_size
    assert done.stdout.decode() == f"{uid} {NO_CAPABILITIES}\n{length}\n"
    warning = f"pht: warning: PHT_ALLOW_UNPROTECTED_KEY=1: the train could read {key} as uid {uid}"
    assert any(line.startswith(warning) for line in done.lines)
