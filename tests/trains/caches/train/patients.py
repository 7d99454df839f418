"""Reads the patients."""

import csv


def oldest(path: str) -> int:
    """Return the age of the oldest patient."""
    with open(path) as file:
        return max(int(row["age"]) for row in csv.DictReader(file))
