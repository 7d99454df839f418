"""Adds the ages of a station to an encrypted sum, without any package."""

import csv
import json
import os
from pathlib import Path

BLINDING = 2
"""Has to be new and secret in a train that hides something; so every run gives the same bytes."""

creator = json.loads(Path("/opt/train_config.json").read_text())["creator"]
key = json.loads(bytes.fromhex(creator["paillier_public_key"]))
n, g = int(key["n"]), int(key["g"])

with open(os.environ["TRAIN_DATA_PATH"]) as table:
    ages = [int(row["age"]) for row in csv.DictReader(table)]
result = Path("/opt/pht_results/ages.he.json")
before = json.loads(result.read_text())["sum"] if result.exists() else 1
total = before * pow(g, sum(ages), n * n) * pow(BLINDING, n, n * n) % (n * n)
result.write_text(json.dumps({"sum": total}))
