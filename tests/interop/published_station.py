"""One visit at a station of the published package, run in an environment that has it.

Nothing of this project is imported here. What the package leaves to its station's software, to run
the train and to put its folders onto the base image, is done as that software does it: the image is
run as it is, ENTRYPOINT and all, with the variables that the operator has configured.

Prints what the train printed; whatever fails is a traceback and a status other than 0.
"""

import argparse
import sys
from typing import Any

import docker
from train_lib.docker_util.docker_ops import extract_train_config

try:
    from train_lib.security.protocol import SecurityProtocol
except ModuleNotFoundError:  # before 2.0
    from train_lib.security.SecurityProtocol import SecurityProtocol

CARRIED = ("/opt/pht_train", "/opt/pht_results", "/opt/train_config.json")


def main() -> None:
    """Make the visit to REPOSITORY:latest."""
    options = _arguments()
    image = f"{options.repository}:latest"
    client = docker.from_env()
    # Read before pre-run, which before 2.0 puts that of the base image back for the run.
    config = extract_train_config(image)
    SecurityProtocol(options.station, config).pre_run_protocol(image, options.key)
    container = _run_train(client, image, options.data)
    _carry_over(client, container, options.repository)
    SecurityProtocol(options.station, config).post_run_protocol(image, options.key)


def _run_train(client: Any, image: str, data: str) -> Any:
    """Run the train as a container and return that when it has ended."""
    container = client.containers.run(
        image,
        environment={"TRAIN_DATA_PATH": "/opt/train_data", "PHT_HOST_PROTOCOL": "1"},
        volumes={data: {"bind": "/opt/train_data", "mode": "ro"}},
        detach=True,
        network_disabled=True,
    )
    status = container.wait()["StatusCode"]
    if status != 0:
        raise RuntimeError(f"the train ended with {status}: {container.logs().decode()}")
    sys.stdout.buffer.write(container.logs(stderr=False))
    return container


def _carry_over(client: Any, container: Any, repository: str) -> None:
    """Put what the train has left onto the base image, as REPOSITORY:latest."""
    onto = client.containers.create(f"{repository}:base")
    for path in CARRIED:
        archive, _ = container.get_archive(path)
        onto.put_archive("/opt", b"".join(archive))
    onto.commit(repository=repository, tag="latest")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", help="of the train's image, without a tag")
    parser.add_argument("--station", required=True, help="its id")
    parser.add_argument("--key", required=True, help="file of its private key")
    parser.add_argument("--data", required=True, help="folder of its data")
    return parser.parse_args()


if __name__ == "__main__":
    main()
