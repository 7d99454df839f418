"""One visit at a station of the published package, run in an environment that has it.

Nothing of this project is imported here. What the package leaves to its station's software is done
call by call as that does it, from its pre-run to what it pushes. The image is run as it is,
ENTRYPOINT and all, with the variables that the operator has configured. The software is that which
belongs to the package: of 2023 for 2.0, of 2022 for those before, which put its train together
itself, twice: after the run with the results only, and after the post-run. In that of 2023 every
task reads the configuration anew from what the first one has extracted, as JSON.

Prints what the train printed; whatever fails is a traceback and a status other than 0.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import docker
from docker.api.client import APIClient
from train_lib.docker_util.docker_ops import extract_query_json, extract_train_config

try:
    from train_lib.security.protocol import SecurityProtocol
    from train_lib.security.train_config import TrainConfig

    SINCE_2_0 = True
except ModuleNotFoundError:
    from train_lib.security.SecurityProtocol import SecurityProtocol

    SINCE_2_0 = False

TRAIN, RESULTS, CONFIG = "/opt/pht_train", "/opt/pht_results", "/opt/train_config.json"


def main() -> None:
    """Make the visit to REPOSITORY:latest."""
    options = _arguments()
    if options.requests:
        _record_requests(options.requests)
    image = f"{options.repository}:latest"
    client = docker.from_env()
    # Read before pre-run, which before 2.0 puts that of the base image back for the run.
    config = _passed_between_tasks(extract_train_config(image))
    SecurityProtocol(options.station, config()).pre_run_protocol(image, options.key)
    # Of a train without one; executed where a server is set, and printed by 1.0.
    with suppress(Exception), redirect_stdout(sys.stderr):
        extract_query_json(image)
    container = _start_train(client, image, options.data)
    status = container.wait()["StatusCode"]
    if SINCE_2_0:  # whether or not it has succeeded
        _put_onto_base(client, container, options.repository, [TRAIN, RESULTS, CONFIG])
    container.logs().decode("utf-8")  # the software shows them
    if status != 0:
        raise RuntimeError(f"the train ended with {status}: {container.logs().decode()}")
    sys.stdout.buffer.write(container.logs(stderr=False))
    if not SINCE_2_0:
        _put_onto_base(client, container, options.repository, [RESULTS])
    container.remove(v=True, force=True)
    SecurityProtocol(options.station, config()).post_run_protocol(image, options.key)
    if not SINCE_2_0:
        sealed = client.containers.create(image)
        _put_onto_base(client, sealed, options.repository, [RESULTS, CONFIG])
        sealed.remove()


def _passed_between_tasks(config: Any) -> Callable[[], Any]:
    """Return a function that gives a configuration as the next task gets it."""
    if not SINCE_2_0:
        return lambda: config
    text = json.dumps(config.dict(by_alias=True))
    return lambda: TrainConfig(**json.loads(text))


def _record_requests(file: Path) -> None:
    """Append every request to the engine to a file: method, URL and body, as a line of JSON."""
    send = APIClient.send

    def record(self: Any, request: Any, **options: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        body = body if isinstance(body, str) else None  # an archive is a stream
        with file.open("a") as lines:
            lines.write(json.dumps([request.method, request.url, body]) + "\n")
        return send(self, request, **options)

    APIClient.send = record


def _start_train(client: Any, image: str, data: str) -> Any:
    """Start the train as a container and return that."""
    return client.containers.run(
        image,
        environment={"TRAIN_DATA_PATH": "/opt/train_data", "PHT_HOST_PROTOCOL": "1"},
        volumes={data: {"bind": "/opt/train_data", "mode": "ro"}},
        detach=True,
        network_disabled=True,
        stderr=True,
        stdout=True,
        device_requests=None if SINCE_2_0 else [],
    )


def _put_onto_base(client: Any, container: Any, repository: str, paths: Sequence[str]) -> None:
    """Put paths of a container onto the base image, as REPOSITORY:latest."""
    onto = client.containers.create(f"{repository}:base")
    for path in paths:
        archive, _ = container.get_archive(path)
        onto.put_archive("/opt", archive)
    onto.commit(repository=repository, tag="latest")
    onto.remove(v=True, force=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", help="of the train's image, without a tag")
    parser.add_argument("--station", required=True, help="its id")
    parser.add_argument("--key", required=True, help="file of its private key")
    parser.add_argument("--data", required=True, help="folder of its data")
    parser.add_argument("--requests", type=Path, help="file to record the engine's requests in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
