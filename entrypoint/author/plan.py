"""The plan of a simulation: everything that its author says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A train, its route, and how the route is to be simulated.

    Attributes:
        train: the folder with the train's files.
        exclude: patterns of files and folders in it that do not travel.
        generation: of the train.
        command: of the train, run at every station.
        workdir: the WORKDIR of the train's image, a folder of the train; None for the default `/`.
        data: holds one folder of data for each station, named by its id.
        route: ids in the order of the visits; by default all folders, `inst-2` before `inst-10`.
        keys: holds ID.private.pem or ID.pem of stations that have a key; the others get one.
        image: the master image of the containers that are the stops; None for processes.
        engine_options: more options of `docker create` for these containers.
        paillier_key: file of the user's Paillier public key; None without one.
        output: a new or empty folder for the decrypted final results.
        keep: a new or empty folder in which the roots, logs and keys of all stations stay.
        verbose: whether the train's output is shown as it comes.
    """

    train: Path
    exclude: Sequence[str]
    generation: str
    command: Sequence[str]
    workdir: str | None
    data: Path
    route: Sequence[str] | None
    keys: Path | None
    image: str | None
    engine_options: Sequence[str]
    paillier_key: Path | None
    output: Path | None
    keep: Path | None
    verbose: bool
