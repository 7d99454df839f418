"""Knows its places from the folder / on, in which an image starts its command."""

from pathlib import Path

result = Path("opt/pht_results/patients.txt")
seen = result.read_text() if result.exists() else ""
rows = Path("opt/train_data/patients.csv").read_text().splitlines()[1:]
result.write_text(f"{seen}{len(rows)}\n")
