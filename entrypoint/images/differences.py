"""The differences between a train's image and its master's: a code each, and why it matters."""

from dataclasses import dataclass
from typing import NamedTuple


class _Rule(NamedTuple):
    why: str
    refused: bool = True


_READ_DIFFERENTLY = "engines could unpack something else than was checked"

RULES = {
    "archive-name": _Rule("a name in the archive claims another content than it has"),
    "layer-missing": _Rule("a layer that nobody can read may hold anything"),
    "layers-differ": _Rule("some engines unpack what the manifest names, without comparing"),
    "master-unknown": _Rule("what runs in this image has not been approved"),
    "layer-unreadable": _Rule(_READ_DIFFERENTLY),
    "too-many-entries": _Rule("they cannot be compared in bounded memory"),
    "path-outside": _Rule("a train brings only /opt/pht_train, /opt/pht_results and its two files"),
    "path-unclear": _Rule(_READ_DIFFERENTLY),
    "path-twice": _Rule(_READ_DIFFERENTLY),
    "entry-unclear": _Rule(_READ_DIFFERENTLY),
    "kind-refused": _Rule("a device, FIFO or link in this place leads the runner elsewhere"),
    "set-id": _Rule("it gives rights of another user to whoever runs it"),
    "attribute-refused": _Rule("it gives capabilities, or changes how the file is shown"),
    "attribute": _Rule("no rights depend on it", refused=False),
    "link-outside": _Rule("writing through it changes files of the master image"),
    "whiteout-outside": _Rule("it removes files of the master image"),
    "folder-changed": _Rule("a folder of the master image got another owner or other rights"),
    "more-findings": _Rule("only the first ones are listed"),
    "mount-point": _Rule("a mount of an engine or a station left it, empty", refused=False),
    "platform-changed": _Rule("the same files run on another machine or not at all"),
    "entrypoint-changed": _Rule("the runner is not started, so nothing is verified"),
    "user-changed": _Rule("the runner starts with the rights of another user"),
    "working-dir-changed": _Rule("relative names lead elsewhere"),
    "shell-changed": _Rule("it runs commands of this image"),
    "healthcheck-changed": _Rule("the engine runs it in the container beside the train"),
    "volumes-changed": _Rule("a volume hides what was checked, or keeps results"),
    "on-build-changed": _Rule("it runs when a station builds on this image"),
    "stop-signal-changed": _Rule("the runner would not notice that it has to stop"),
    "key-unknown": _Rule("an engine may act on it"),
    "label-refused": _Rule("podman or containerd starts the container differently for it"),
    "env-changed": _Rule("a variable of the master image has another value or is gone"),
    "env-twice": _Rule("engines disagree about which value counts"),
    "env-malformed": _Rule("engines disagree about what it sets"),
    "env-refused": _Rule("it loads code, or is a setting of the station"),
    "env-proxy": _Rule("published stations leave it in trains", refused=False),
    "env-added": _Rule("the train's command gets it", refused=False),
    "train-config-unusable": _Rule("the signed files are not known"),
    "command-not-signed": _Rule("it does not run a file that the user has signed"),
    "annotation-refused": _Rule("it decides what runs before or instead of the runner"),
    "platforms-absent": _Rule("they are not in this archive and were not checked", refused=False),
}
"""Every code, with why it matters and whether the image is refused for it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        code: a key of RULES.
        where: a path, a layer, or a key of the image's configuration.
        what: the difference itself.
    """

    code: str
    where: str
    what: str

    @property
    def why(self) -> str:
        """The reason for which it matters."""
        return RULES[self.code].why

    @property
    def refused(self) -> bool:
        """True if the image is refused for it."""
        return RULES[self.code].refused
