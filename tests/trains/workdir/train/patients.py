"""Reads the patients."""

import csv


def column(path: str, name: str) -> list[str]:
    """Return the values of a column."""
    with open(path) as file:
        return [row[name] for row in csv.DictReader(file)]
