"""The image check of published stations of 2.0, run in an environment that has their package.

Nothing of this project is imported here. As the task `validate_master_image` of their DAG does it,
but for the pull: the master image that the train names is in the engine already.
"""

import sys

from train_lib.docker_util.docker_ops import extract_train_config
from train_lib.docker_util.validate_master_image import validate_train_image


def main() -> None:
    """Compare the image of the command line with the master image that its train names."""
    [image] = sys.argv[1:]
    config = extract_train_config(image).dict(by_alias=True)
    address = config["source"].get("address", None)
    tag = config["source"].get("tag", "latest")
    validate_train_image(train_image_name=image, master_image_name=address + ":" + tag)


if __name__ == "__main__":
    main()
