"""The form of query.json that published stations can execute is the one that the documents show."""

import re
import subprocess
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "host-driven.md"

# Of the client only this module is loaded: the package's other requirements are not installed.
BUILDS_REQUEST = """
import importlib.util, json, pathlib, sys, train_lib
path = pathlib.Path(train_lib.__file__).parent / "clients" / "fhir" / "fhir_query_builder.py"
spec = importlib.util.spec_from_file_location("builder", path)
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)
query = json.load(sys.stdin)
data = query["data"]
print(builder.build_query_string(query["query"]), data["output_format"], data["filename"])
"""


def test_the_query_on_the_page_becomes_a_request(published_route: Path) -> None:
    [query] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run(
        [published_route, "-I", "-c", BUILDS_REQUEST],
        input=query,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Patient?gender=male json patients.json\n"
