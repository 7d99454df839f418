"""The demo: a train visits 18 institutions, and the survival curve of their patients comes out.

`make demo` starts it. Everything it makes is in build/demo, below the current folder.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from curve import Curve, read_curve
from pooled import PooledStep, pooled_curve
from prepare import LUNG_CSV, prepare
from svg import write_svg
from terminal import draw

CHECKOUT = Path(os.path.relpath(Path(__file__).parents[2]))
EXAMPLE = CHECKOUT / "examples" / "lung_survival"
PROGRAM = [os.path.relpath(sys.executable), str(CHECKOUT / "entrypoint")]
"""Starts `pht` from this checkout, without installing it."""

BUILD = Path("build/demo")
MARK = BUILD / ".made-by-the-demo"
DATA = BUILD / "data"
STATIONS = BUILD / "stations"
RESULTS = BUILD / "results"
IMAGE = BUILD / "curve.svg"


def main() -> int:
    """Run the demo; return 0, the status of a simulation that failed, or 1 for a wrong curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", help="make every stop a container of this master image")
    image = parser.parse_args().image
    make_build_folder()
    stations = prepare(DATA)
    print(f"the patients of {len(stations)} institutions, one folder each: {DATA}")
    status = simulate(image)
    if status != 0:
        return status
    curve = read_curve(RESULTS)
    write_svg(curve, IMAGE)
    equal = is_pooled(curve)
    print(f"\n{draw(curve, sys.stdout.encoding)}\n")
    print(f"equal to the pooled analysis: {'yes' if equal else 'no'}\n")
    say_where(stations)
    return 0 if equal else 1


def make_build_folder() -> None:
    """Start with an empty folder; only one that an earlier demo has made is removed."""
    if MARK.exists():
        shutil.rmtree(BUILD)
    elif BUILD.exists():
        sys.exit(f"{BUILD} is not from an earlier demo: move it away and start again")
    BUILD.mkdir(parents=True)
    MARK.touch()


def simulate(image: str | None) -> int:
    """Send the train through all stations, as an author would; return the exit status."""
    command = [*PROGRAM, "simulate", str(EXAMPLE / "train"), "--data", str(DATA)]
    command += ["--keep", str(STATIONS), "--output", str(RESULTS)]
    command += ["--image", image] if image else []
    command += ["--", "python", "/opt/pht_train/survival.py"]
    # Flushed, so that the lines stay in order when both programs write to one file.
    print(f"$ {shlex.join(command)}", flush=True)
    return subprocess.run(command, check=False).returncode


def is_pooled(curve: Curve) -> bool:
    """Whether the train found, to the last digit, what the pooled rows say."""
    steps = [PooledStep(step.day, step.at_risk, step.deaths, step.survival) for step in curve.steps]
    return steps == pooled_curve(LUNG_CSV)


def say_where(stations: list[str]) -> None:
    """Name what the demo has left behind and what to try next."""
    roots = [STATIONS / f"{stop:02}-{station}" for stop, station in enumerate(stations, start=1)]
    last = str(roots[-1])
    look = [*PROGRAM, "inspect", "--root", last]
    key, again = str(STATIONS / "user.private.pem"), str(BUILD / "again")
    decrypt = [*PROGRAM, "decrypt-results", last, "--key", key, "--output", again]
    print(
        f"the rows of each station    {DATA / stations[0]} to {stations[-1]}\n"
        f"the folder of each station  {roots[0]} to {roots[-1].name}\n"
        f"the results, decrypted      {RESULTS}\n"
        f"the curve as an image       {IMAGE}\n"
        "\n"
        "to try next:\n"
        "  the route, as written in the sealed train\n"
        f"    {shlex.join(look)}\n"
        "  the sealed results, opened with the user's key\n"
        f"    {shlex.join(decrypt)}\n"
        f"  how the train works: {EXAMPLE / 'README.md'}"
    )


if __name__ == "__main__":
    sys.exit(main())
