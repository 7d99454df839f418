"""Swallows its exception, and so ends well without a result."""

import csv

try:
    with open("/opt/train_data/patients.csv") as table:
        ages = [int(row["Alter"]) for row in csv.DictReader(table)]
    with open("/opt/pht_results/ages.txt", "w") as result:
        print(sum(ages), file=result)
except Exception as error:
    print("error:", error)
