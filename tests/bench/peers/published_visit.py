"""The protocol of the published package, 1.0.0, on a train's image, without running the train.

Started as `python FILE IMAGE STATION KEY`, as a station's software would: IMAGE ends with `:latest`
and has the same image as `:base` beside it, KEY is the file of the station's private key. Nothing
of this project is imported here.
"""

import sys

from train_lib.docker_util.docker_ops import extract_train_config
from train_lib.security.SecurityProtocol import SecurityProtocol


def main() -> None:
    """Open the train and seal it again."""
    image, station, key = sys.argv[1:]
    protocol = SecurityProtocol(station, extract_train_config(image))
    protocol.pre_run_protocol(image, key)
    protocol.post_run_protocol(image, key)


if __name__ == "__main__":
    main()
