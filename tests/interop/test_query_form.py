"""Published stations can read the configuration and the query that the documents show."""

import json
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


OF_THE_DAG = {"repository", "tag", "env", "volumes", "gpus"}
"""Keys that the DAG reads from the configuration with which it is triggered."""


def blocks() -> list[str]:
    """Return the blocks of JSON of the page: the configuration of a run, and a query."""
    return re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_configuration_on_the_page_is_one_for_the_dag() -> None:
    configuration, _ = blocks()
    shown = json.loads(configuration)
    assert shown.keys() <= OF_THE_DAG
    assert shown["env"]["PHT_HOST_PROTOCOL"] == "1"
    [mounted] = shown["volumes"].values()
    assert shown["env"]["TRAIN_DATA_PATH"].startswith(f"{mounted}/")


def test_the_query_on_the_page_becomes_a_request(published_route: Path) -> None:
    _, query = blocks()
    done = subprocess.run(
        [published_route, "-I", "-c", BUILDS_REQUEST],
        input=query,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Patient?gender=male json patients.json\n"
