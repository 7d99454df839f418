"""The set-ups of containers in which the hostile train is run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path

from entrypoint.author.container_options import OPTIONS
from tests import reference
from tests.attacks.visits import STATION, Ending, end_of_visit, owned_by
from tests.containers.engine import Engine, pack
from tests.containers.profiles import without_landlock
from tests.containers.visitor import Container, build_image
from tests.station import settle

KEY = reference.vector_key(STATION, private=True)
IN_CONTAINER = "/keys/private_key.pem"
OTHER_USER = 1000


def _without_network(options: tuple[str, ...]) -> tuple[str, ...]:
    """Return options without `--network none`, which every container of the tests has."""
    at = options.index("--network")
    return options[:at] + options[at + 2 :]


RECOMMENDED = "recommended line"
USER = "--user 1000"
NO_RIGHTS = "--cap-drop ALL"
INIT = "--init"
GVISOR = "gVisor"

SETUPS = {
    "default": (),
    USER: ("--user", str(OTHER_USER)),
    NO_RIGHTS: ("--cap-drop", "ALL"),
    INIT: ("--init",),
    "--cap-add SYS_PTRACE": ("--cap-add", "SYS_PTRACE"),
    RECOMMENDED: _without_network(OPTIONS),
    "seccomp=unconfined": ("--security-opt", "seccomp=unconfined"),
    GVISOR: ("--runtime", "runsc"),
}
"""Options of `docker create` by name."""

NO_LANDLOCK = "no Landlock"
PRIVATE_DATA = "data that only another user may read"


class Key(StrEnum):
    """Where the station's private key comes from."""

    FILE = "key in the station folder"
    VARIABLE = "key by -e"
    CONTAINER = "key in the container"
    TWO_MOUNTS = "key in two mounts"


@dataclass(frozen=True)
class Case:
    """One set-up.

    Attributes:
        setup: a name of SETUPS.
        key: where the key comes from.
        base: what the master image is built on.
        has_landlock: whether the kernel seems to have it.
        has_private_data: whether only one other user may read the station's data.
    """

    setup: str
    key: Key = Key.FILE
    base: str = "bookworm"
    has_landlock: bool = True
    has_private_data: bool = False

    @property
    def facts(self) -> frozenset[str]:
        """What distinguishes this case, in the words of the table of remaining attempts."""
        return frozenset((self.setup, self.key.value, *self._peculiarities))

    @property
    def user(self) -> int:
        """The user of the container, to whom the train and the key belong."""
        return OTHER_USER if self.setup == USER else 0

    @property
    def may_be_refused(self) -> bool:
        """Whether a refusal because of a reachable key protects the key here."""
        return self.key == Key.TWO_MOUNTS or not self.has_landlock

    def __str__(self) -> str:
        return ", ".join((self.setup, self.key, self.base, *self._peculiarities))

    @property
    def _peculiarities(self) -> list[str]:
        marks = {NO_LANDLOCK: not self.has_landlock, PRIVATE_DATA: self.has_private_data}
        return [mark for mark, applies in marks.items() if applies]

    def visit(self, engine: Engine, runner: str, opt: Path, folder: Path, *more: str) -> Ending:
        """Make a visit of a train in a container and return what it has left.

        Args:
            engine: where the container runs.
            runner: the master image.
            opt: the train, a folder like `/opt`.
            folder: for the station and for what is left.
            more: further options of `docker create`.
        """
        image = build_image(engine, runner, name=f"attacked-{runner.partition(':')[2]}")
        train = owned_by(engine, image, opt, self.user)
        return end_of_visit(self._container(engine, train, folder, more), folder / "after")

    def _container(
        self, engine: Engine, image: str, folder: Path, more: Sequence[str]
    ) -> Container:
        options = [*SETUPS[self.setup], *self._key_options(folder), *more]
        if self.has_private_data:
            options.append(f"--volume={_private_data(folder)}:/opt/train_data:ro")
        if not self.has_landlock:
            options += without_landlock(folder)
        container = Container(engine, engine.create(image, options=options))
        if self.key == Key.CONTAINER:
            engine.copy_in(container.id, "/", pack({IN_CONTAINER.removeprefix("/"): KEY}))
        return container

    def _key_options(self, folder: Path) -> list[str]:
        if self.key == Key.VARIABLE:
            return _variables(RSA_STATION_PRIVATE_KEY=KEY.hex())
        if self.key == Key.CONTAINER:
            return _variables(PRIVATE_KEY_PATH=IN_CONTAINER)
        settle(folder, STATION)
        station = folder / "run" / "pht"
        (station / "private_key.pem").chmod(0o400)
        os.chown(station / "private_key.pem", self.user, self.user)
        places = ["/run/pht", *(["/backup"] if self.key == Key.TWO_MOUNTS else [])]
        return [f"--volume={station}:{place}:ro" for place in places]


def _private_data(folder: Path) -> Path:
    data = folder / "data"
    data.mkdir(mode=0o700)
    (data / "patients").touch(mode=0o600)
    for path in (data, data / "patients"):
        os.chown(path, OTHER_USER, OTHER_USER)
    return data


def _variables(**values: str) -> list[str]:
    pairs = {"STATION_ID": STATION, **values}
    return [f"--env={name}={value}" for name, value in pairs.items()]


ONE_OF_EACH_KIND = (
    Case("default"),
    Case("default", Key.CONTAINER),
    Case("default", Key.TWO_MOUNTS),
    Case("default", base="musl", has_landlock=False),
    Case(USER, Key.VARIABLE),
    Case(NO_RIGHTS),
    Case(INIT, Key.VARIABLE),
    Case("--cap-add SYS_PTRACE", base="musl"),
    Case(RECOMMENDED),
    Case(RECOMMENDED, has_private_data=True),
    Case("default", base="musl", has_private_data=True),
    Case(RECOMMENDED, Key.VARIABLE, "musl"),
    Case("seccomp=unconfined", Key.VARIABLE),
    Case(GVISOR, Key.VARIABLE),
)
"""The cases of every run of the tests."""

_PRODUCT = product(SETUPS, (Key.FILE, Key.VARIABLE), ("bookworm", "musl"), (True, False))
ALL_OTHERS = tuple(
    case
    for case in (Case(*values) for values in _PRODUCT)
    # The profile without Landlock takes the place of `unconfined`, and allows as much. gVisor has
    # neither profiles nor Landlock.
    if case not in ONE_OF_EACH_KIND
    and (case.has_landlock or case.setup not in ("seccomp=unconfined", GVISOR))
)
"""The cases that only `make attacks` adds."""
