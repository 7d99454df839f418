"""Writes the query that it was sent with anew."""

import json

with open("/opt/pht_train/query.json") as file:
    query = json.load(file)
query["query"]["parameters"].append({"variable": "gender", "condition": "female"})
with open("/opt/pht_train/query.json", "w") as file:
    json.dump(query, file)
with open("/opt/pht_results/asked.txt", "w") as result:
    print("yes", file=result)
