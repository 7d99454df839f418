"""The rules for the configuration of a train's image, compared with its master's."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.files.strict_json import Document
from entrypoint.images.differences import Difference
from entrypoint.protocol.command import TRAIN_FOLDER, position_of_file

PLATFORM = ("architecture", "os", "variant", "os.version", "os.features")
"""Keys of an image's document that say on which machine it runs."""

COMPARED = {
    "Entrypoint": "entrypoint-changed",
    "User": "user-changed",
    "WorkingDir": "working-dir-changed",
    "Shell": "shell-changed",
    "Healthcheck": "healthcheck-changed",
    "Volumes": "volumes-changed",
    "OnBuild": "on-build-changed",
    "StopSignal": "stop-signal-changed",
}
"""Keys of the configuration whose value has to be the master's, with the code of a difference."""

_NOT_ACTED_ON = {
    # Of the container that was committed:
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "MacAddress",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "StopTimeout",
    "Tty",
    # Others:
    "ArgsEscaped",  # is read on Windows only
    "ExposedPorts",  # counts with --publish-all only, and never without a network
    "Labels",  # are notes, but for _LABELS_ACTED_ON
}
"""Keys that an engine does not take over when it starts a container of the image.

Docker takes over what `merge` in its daemon/commit.go names, podman what its specgen names.
"""

_LABELS_ACTED_ON = (
    "containerd.io/",
    "io.containerd.",
    "io.containers.",
    "io.kubernetes.",
    "io.podman.",
    "nerdctl/",
    "run.oci.",
)
"""Beginnings of labels for engines: `io.containers.capabilities` takes capabilities from podman's
containers, and so from the runner the right to give the train a user of its own."""

_DOCUMENT_KEYS = {
    *PLATFORM,
    "author",
    "comment",
    "config",
    "container",
    "container_config",
    "created",
    "docker_version",
    "history",
    "id",
    "parent",
    "rootfs",
    "Size",
    "throwaway",
}
_SHOWN = 60
"""Maximum length of a value in a difference, in characters."""

_BUILDKIT = "moby.buildkit."
_ROOTFS_KEYS = {"type", "diff_ids"}

_REFUSED_VARIABLES = re.compile(
    r"LD_.*|GLIBC_.*|GCONV_PATH|LOCPATH|MALLOC_.*|PYTHON.*|__PYVENV_LAUNCHER__|OPENSSL_.*|SSL.*"
    r"|BASH_ENV|BASH_FUNC_.*|ENV|SHELLOPTS|BASHOPTS|PS4|IFS|R_.*|PERL.*|NODE_.*|RUBY.*|LUA_.*"
    r"|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|CLASSPATH|CUDA_INJECTION.*"
    r"|CUDA_VERSION|NVIDIA_.*|(?:AMD|HABANA|ASCEND)_VISIBLE_DEVICES"
    r"|PHT_.*|STATION_ID|TRAIN_DATA_PATH|.*PRIVATE_KEY.*|PATH",
    re.DOTALL,
)
"""Variables that load code into a program or an interpreter, let the runtimes of graphics cards add
devices (CUDA_VERSION alone adds all), or belong to the station."""

_PROXIES = re.compile(r"(?:https?|ftp|all|no)_proxy", re.IGNORECASE)
_NOT_OF_THE_MASTER = (
    *("/opt/pht_train", "/opt/pht_results", "/opt/train_config.json", "/opt/user_sym_key.key"),
    *("/opt/train_data", "/proc/", "/dev/"),
)
"""Beginnings of paths where a train or a station puts files, or where other paths are repeated."""


def differences(
    document: Document, platform: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield how the configuration of a train differs from its master's, but for its command.

    Args:
        document: of the train's image.
        platform, config: of the master.
    """
    own = document.get("config") or {}
    for key in PLATFORM:
        if (document.get(key) or None) != platform.get(key):
            yield Difference(
                "platform-changed", key, _changed(platform.get(key), document.get(key))
            )
    for key, code in COMPARED.items():
        if not _is_same(key, own.get(key), config.get(key)):
            yield Difference(code, key, _changed(config.get(key), own.get(key)))
    yield from _other_keys(document, own)
    yield from _labels(own.get("Labels"))
    yield from _variables(own.get("Env") or [], config.get("Env") or [])


def _is_same(key: str, value: Any, masters: Any) -> bool:
    if key == "WorkingDir":
        return (value or "/") in (masters or "/", str(TRAIN_FOLDER))
    return (value or None) == (masters or None)


def _other_keys(document: Document, own: Document) -> Iterator[Difference]:
    for key in sorted(document.keys() - _DOCUMENT_KEYS):
        if not key.startswith(_BUILDKIT):
            yield Difference("key-unknown", key, "is no key of an image that is known here")
    for key in sorted(document["rootfs"].keys() - _ROOTFS_KEYS):
        yield Difference("key-unknown", f"rootfs.{key}", "is no key that is known here")
    for key in sorted(own.keys() - COMPARED.keys() - _NOT_ACTED_ON - {"Env", "Cmd"}):
        yield Difference("key-unknown", f"config.{key}", "is no key that is known here")


def _labels(labels: Any) -> Iterator[Difference]:
    for name in labels if isinstance(labels, dict) else ():
        if name.startswith(_LABELS_ACTED_ON):
            yield Difference("label-refused", name, "is set by the train")


def _variables(own: Any, masters: Sequence[str]) -> Iterator[Difference]:
    """Yield how the variables of a train differ from its master's."""
    values: dict[str, str] = {}
    for text in own if isinstance(own, list) else [own]:
        name, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
        if not (name and equals) or "\0" in text:
            yield Difference("env-malformed", "Env", "has an entry that is not NAME=VALUE")
        elif name in values:
            yield Difference("env-twice", name, "is set twice")
        else:
            values[name] = value
    expected = dict(text.split("=", 1) for text in masters)
    for name in expected:
        if values.get(name) != expected[name]:
            yield Difference("env-changed", name, "is not set as in the master image")
    for name in sorted(values.keys() - expected.keys()):
        if _REFUSED_VARIABLES.fullmatch(name):
            yield Difference("env-refused", name, "is set by the train")
        elif _PROXIES.fullmatch(name):
            yield Difference("env-proxy", name, "is set by the train")
        else:
            yield Difference("env-added", name, "is set by the train")


def command_differences(
    own: Mapping[str, Any], files: Sequence[str] | None
) -> Iterator[Difference]:
    """Yield what is wrong with the command of a train.

    Args:
        own: the configuration of its image.
        files: the signed files; None if they are not known.
    """
    words, folder = own.get("Cmd"), str(own.get("WorkingDir") or "/")
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        yield Difference("command-not-signed", "Cmd", "is no list of words")
    elif files is not None and not _runs_signed_file(words, folder, files):
        yield Difference("command-not-signed", "Cmd", f"is {_shown(words)}")


def _runs_signed_file(words: Sequence[str], folder: str, files: Sequence[str]) -> bool:
    position = position_of_file(words)
    if position is None or ("/" not in words[position] and position == 0):
        return False
    path = _plain_path(words[position], folder)
    prefix = f"{TRAIN_FOLDER}/"
    listed = path.startswith(prefix) and path.removeprefix(prefix) in files
    return listed and (position == 0 or _is_of_the_master(words[0], folder))


def _is_of_the_master(program: str, folder: str) -> bool:
    """Return whether only the master image can have put a program there."""
    if "/" not in program:
        return True  # found on the PATH, which is the master's
    path = _plain_path(program, folder)
    return bool(path) and not path.startswith(_NOT_OF_THE_MASTER)


def _plain_path(word: str, folder: str) -> str:
    """Return a path in full; empty if it goes upwards, over what may be a link."""
    path = posixpath.join(folder, word)
    return "" if ".." in path.split("/") else posixpath.normpath(path).replace("//", "/")


def _changed(masters: Any, own: Any) -> str:
    return f"is {_shown(own)}, in the master image {_shown(masters)}"


def _shown(value: Any) -> str:
    text = repr(value) if value else "not set"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
