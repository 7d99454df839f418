"""The settings of one run of the program, as a frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.files.attributes import Owner
from entrypoint.model import Paths
from entrypoint.settings.names import ENV_FILE, NO_IDENTITY
from entrypoint.settings.private_key import KeySettings
from entrypoint.settings.station_folder import is_filled, list_files
from entrypoint.trust.anchors import Anchors

_USER_NAME = "pht-train"
"""Name of the train's user; its account in the master images has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a command needs to know about its surroundings.

    Attributes:
        paths: the train's fixed paths.
        in_container: False with `--root`.
        log_json: whether log lines are JSON.
        timeout: seconds that the train may run, or None.
        export: the path of the tar to write after the commit, or None.
        any_command: whether a command without a signed file is allowed.
        allow_unprotected_key: whether the train may run where it could reach the key.
        host_protocol: whether PHT_HOST_PROTOCOL says that the host does the protocol; None if it
            leaves that open.
        train_user: user and group that the train is to run as, or None.
        expected_train: the id or the session of the only train that may visit, or None for any.
        anchors: the keys that the station has pinned.
        ledger: the folder of the station's ledger, or None.
        replay_allowed: whether the station lets a train board that its ledger says is a replay.
        values: the variables that the train inherits, without those of the key.
        key_settings: where the station's private key is set; `load_station_key` loads it.
    """

    paths: Paths
    in_container: bool
    log_json: bool
    timeout: float | None
    export: Path | None
    any_command: bool
    allow_unprotected_key: bool
    host_protocol: bool | None
    train_user: Owner | None
    expected_train: str | None
    anchors: Anchors
    ledger: Path | None
    replay_allowed: bool
    values: Mapping[str, str] = field(repr=False)
    key_settings: KeySettings = field(repr=False)

    def station(self) -> str:
        """Return the id of this station, or raise SettingsError."""
        if "STATION_ID" not in self.values:
            raise self.no_station()
        return self.values["STATION_ID"]

    def no_station(self) -> SettingsError:
        """Return the error for a visit that needs the id of this station."""
        folder = self.paths.station
        empty = "" if is_filled(folder) else f", and {folder} is empty or not there"
        mount = f"mount the station folder at {folder}, read-only; " if empty else ""
        return SettingsError(
            "station-id-missing",
            f"STATION_ID is not set{empty}",
            hint=f"{mount}set it, as it is on the train, in {folder / ENV_FILE} "
            "or in the environment; where the host opens and seals trains itself, "
            "set PHT_HOST_PROTOCOL=1 instead",
        )

    def identity(self) -> list[str]:
        """Return the names of all settings and files that identify the station: its id and key.

        Any file in the station folder counts that is none of `NO_IDENTITY`: a key may have any
        name.
        """
        station_id = ["STATION_ID"] if "STATION_ID" in self.values else []
        found = list_files(self.paths.station)
        files = [str(path) for path in found if path.name not in NO_IDENTITY]
        return [*station_id, *dict.fromkeys([*self.key_settings.sources(), *files])]

    def train_environment(self) -> dict[str, str]:
        """Return the whole environment of the train's command."""
        return {
            # Libraries ask for the user's name, and fail if there is none for its number.
            "LOGNAME": _USER_NAME,
            "USER": _USER_NAME,
            **self.values,
            "PHT_TRAIN_DIR": str(self.paths.train),
            "PHT_RESULTS_DIR": str(self.paths.results),
            "PYTHONDONTWRITEBYTECODE": "1",  # a cache beside the signed files would be unsigned
        }
