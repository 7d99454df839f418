"""Counts the patients of each diagnosis, and averages their age, over all stations so far."""

import csv
import os
from pathlib import Path

data = Path(os.environ["TRAIN_DATA_PATH"])
result = Path(os.environ["PHT_RESULTS_DIR"], "ages.csv")

patients: dict[str, int] = {}
years: dict[str, int] = {}


def add(diagnosis: str, count: int, age: int) -> None:
    """Add patients of one diagnosis, and the sum of their ages."""
    patients[diagnosis] = patients.get(diagnosis, 0) + count
    years[diagnosis] = years.get(diagnosis, 0) + age


if result.exists():  # a station before this one has written it
    with result.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            add(row["diagnosis"], int(row["patients"]), int(row["years"]))

with data.open(encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file):
        add(row["diagnosis"], 1, int(row["age"]))

with result.open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["diagnosis", "patients", "years", "mean_age"])
    for name in sorted(patients):
        writer.writerow([name, patients[name], years[name], round(years[name] / patients[name], 1)])
