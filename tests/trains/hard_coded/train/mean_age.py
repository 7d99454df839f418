"""Knows only the fixed places of a train."""

import csv
import json
import os

RESULT = "/opt/pht_results/ages.json"

ages = []
if os.path.exists(RESULT):
    with open(RESULT) as file:
        ages = json.load(file)
with open("/opt/train_data/patients.csv") as table:
    ages += [int(row["age"]) for row in csv.DictReader(table)]
with open(RESULT, "w") as file:
    json.dump(ages, file)
