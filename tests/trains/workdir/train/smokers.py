"""Finds its parameters and the results from its own folder on, the WORKDIR of its image."""

import json
import os
from pathlib import Path

from patients import column

with open("parameters.json") as file:
    parameters = json.load(file)
values = column(os.environ["TRAIN_DATA_PATH"], parameters["column"])
with Path("../pht_results/smokers.txt").open("a") as result:
    print(values.count(parameters["value"]), "of", len(values), file=result)
