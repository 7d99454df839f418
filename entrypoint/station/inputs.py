"""Reads the settings of a station as far as possible, so that one fault hides no other."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from entrypoint.errors import PhtError
from entrypoint.model import Paths
from entrypoint.settings import load, station_folder
from entrypoint.settings.ledger_folder import find_ledger
from entrypoint.settings.settings import Settings
from entrypoint.trust.anchors import Pins


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The settings, pinned keys and ledger of a station, as far as they can be read.

    Attributes:
        paths: of the station.
        in_container: whether there is no `--root`.
        outside: the variables of the environment.
        folder: those of station.env.
        pins: the keys that it has pinned.
        ledger: the folder of its ledger, if it has one that can be used.
    """

    paths: Paths
    in_container: bool
    outside: Mapping[str, str]
    folder: Mapping[str, str]
    pins: Pins
    ledger: Path | None

    @classmethod
    def read(cls, paths: Paths, environment: Mapping[str, str], *, in_container: bool) -> Self:
        """Read them; what cannot be read counts as not set, and has a row that says so."""
        folder: Mapping[str, str] = {}
        pins: Pins = {}
        ledger = None
        with suppress(PhtError, OSError):
            folder = station_folder.read_variables(paths.station)
        with suppress(PhtError, OSError):
            pins = station_folder.read_pins(paths.station)
        with suppress(PhtError, OSError):
            ledger = find_ledger(paths.ledger, in_container=in_container)
        return cls(
            paths=paths,
            in_container=in_container,
            outside=load.without_empty(environment),
            folder=load.without_empty(folder),
            pins=pins,
            ledger=ledger,
        )

    def settings(self) -> Settings:
        """Return the settings of all variables with which nothing is wrong."""
        wrong = {name for name, _ in self.problems()}
        values = {**self.outside, **self.folder}
        return self._settings_of({name: values[name] for name in values if name not in wrong})

    def problems(self) -> Iterator[tuple[str, PhtError]]:
        """Yield each variable with which something is wrong, and the error."""
        for name in sorted({*self.outside, *self.folder}):
            outside = {key: value for key, value in self.outside.items() if key == name}
            folder = {key: value for key, value in self.folder.items() if key == name}
            try:
                load.check(outside, folder, in_container=self.in_container)
                self._settings_of({**outside, **folder})
            except PhtError as error:
                yield name, error

    def _settings_of(self, values: Mapping[str, str]) -> Settings:
        return load.settings_of(
            self.paths,
            values,
            pins=self.pins,
            ledger=self.ledger,
            in_container=self.in_container,
        )
