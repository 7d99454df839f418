"""Deal the rows of lung.csv out to the institutions that they came from.

`python examples/lung_survival/prepare.py DEST` writes DEST/inst-01/lung.csv and so on: one
folder per station, as `simulate --data DEST` expects it. All columns are kept.
"""

import csv
import sys
from pathlib import Path

LUNG_CSV = Path(__file__).with_name("lung.csv")


def prepare(destination: Path) -> list[str]:
    """Write the data folder of every station and return the station ids, in order.

    Args:
        destination: a folder that has none of the stations' folders yet.

    Raises:
        FileExistsError: a station's folder is there already.
    """
    with LUNG_CSV.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    stations = sorted({station_id(row[0]) for row in rows if row[0]})
    for station in stations:
        # The one row without an institution goes to the first station.
        own = [row for row in rows if (station_id(row[0]) if row[0] else stations[0]) == station]
        folder = destination / station
        folder.mkdir(parents=True)
        with (folder / "lung.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *own])
    return stations


def station_id(institution: str) -> str:
    """The station of an institution code such as "3.0"; padded, so that ids sort like codes."""
    return f"inst-{int(float(institution)):02d}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: prepare.py DEST")
    for name in prepare(Path(sys.argv[1])):
        print(name)
