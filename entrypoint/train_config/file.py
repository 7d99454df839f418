"""Reads `train_config.json` and `user_sym_key.key` in their places, without following links."""

import stat
from pathlib import Path

from entrypoint.errors import OPERATOR, MalformedTrain, MissingInput
from entrypoint.files.bounded import FileTooLarge, read_bounded
from entrypoint.files.links import refuse_links
from entrypoint.limits import CONFIG_BYTES, USER_KEY_BYTES
from entrypoint.model import Paths
from entrypoint.train_config.fields import malformed


def read_config(paths: Paths) -> bytes:
    """Return the bytes of `train_config.json`; refuse links in the places of the train.

    Raises:
        MissingInput: it does not exist.
        MalformedTrain: it is larger than any configuration.
        IntegrityError: the file, `opt` or a folder of the train is a link.
    """
    refuse_links(paths.config, paths.train, paths.results)
    return read_config_allowing_links(paths)


def read_config_allowing_links(paths: Paths) -> bytes:
    """Return the bytes of `train_config.json`, and refuse a link at `opt` only.

    A link at `opt` leads to a place where nobody expects a train to be written.

    Raises:
        MissingInput: it is not there as a regular file.
        MalformedTrain: it is larger than any configuration.
        IntegrityError: `opt` is a link.
    """
    refuse_links(paths.opt)
    try:
        if not stat.S_ISREG(paths.config.lstat().st_mode):
            raise no_train(paths)
        return read_bounded(paths.config, CONFIG_BYTES)
    except FileNotFoundError:
        raise no_train(paths) from None
    except FileTooLarge:
        raise malformed(f"is larger than {CONFIG_BYTES // 2**20} MiB") from None


def read_user_key(paths: Paths) -> bytes | None:
    """Return the bytes of the user's envelope, None if no station has made one yet.

    Raises:
        IntegrityError: it is a link.
        MalformedTrain: it is larger than any envelope.
        OSError: it may not be read.
    """
    refuse_links(paths.user_key)
    if not paths.user_key.exists():
        return None
    try:
        return read_bounded(paths.user_key, USER_KEY_BYTES)
    except FileTooLarge:
        raise MalformedTrain(
            "user-key-malformed",
            f"{paths.user_key} is larger than {USER_KEY_BYTES} bytes: it holds no encrypted key",
            hint="pull the train's image again; if the file is still in it, ask the previous "
            "station, or have the train built again",
        ) from None


def no_train(paths: Paths) -> MissingInput:
    """Return the error for a place without a train."""
    return MissingInput(
        "no-train",
        f"there is no train here: {paths.config} does not exist",
        hint="build an image FROM the master image, try a train first with pht simulate, or, "
        "outside of containers, give --root the folder that holds opt; pht help lists the commands",
        by="author" if paths.root == Path("/") else OPERATOR,
        files_differ=True,
    )
