"""What a station sets: environment, station folder and options become one frozen `Settings`.

A derived image can carry any ENV and any file, so whatever lowers a protection counts only from
the station folder, mounted read-only at /run/pht. With `--root`, outside a container, the
operator's own environment counts. Contradictions are errors, never guesses.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.crypto.keys import PrivateKey, load_private_key, pem_of_file
from entrypoint.errors import SettingsError
from entrypoint.limits import SETTINGS_BYTES
from entrypoint.linux.mounts import hides_another, is_mount_point, mount_of
from entrypoint.linux.user import host_uid, selinux_hint, this_user
from entrypoint.model import Paths
from entrypoint.settings import station_env
from entrypoint.settings.container_options import LOADING_CODE
from entrypoint.settings.path_settings import described, distinct, looks_like_address
from entrypoint.train_config.file import refuse_links

_KEY_VALUES = ("RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY")
_KEY_FILES = ("RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH")
_PASSWORD = "PRIVATE_KEY_PASSWORD"
_PASSWORD_FILES = ("PRIVATE_KEY_PASSWORD_FILE",)
_SECRET = frozenset({*_KEY_VALUES, *_KEY_FILES, _PASSWORD, *_PASSWORD_FILES})

_FINDING_LIBRARIES = ("LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES")
_EMPTY_IS_UNSET = _SECRET | {"STATION_ID", *LOADING_CODE, *_FINDING_LIBRARIES}

_LOWERS_PROTECTION = frozenset({"PHT_COMMAND"})
_KNOWN = _LOWERS_PROTECTION | {"PHT_TIMEOUT", "PHT_LOG", "PHT_EXPORT", "PHT_HOST_PROTOCOL"}
_EXACT_SETTINGS = _KNOWN | {
    "STATION_ID",
    "TRAIN_DATA_PATH",
    *_KEY_VALUES,
    *_KEY_FILES,
    *_PASSWORD_FILES,
}
_NOT_BUILT = frozenset({"PHT_TRAIN_USER", "PHT_NETWORK", "PHT_REPLAY", "PHT_ALLOW_UNPROTECTED_KEY"})
_HOST_PROTOCOL = {"auto": None, "0": False, "1": True}
_ENV_FILE = "station.env"
_PASSWORD_FILE = "private_key.password"
_FILES_NOT_BUILT = ("trust", "masters.json")
# What Docker and Kubernetes set for a service that happens to be called pht or pht-….
_SERVICE_LINK = (
    r"PHT_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?"
    r"|NAME|ENV_\w+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a command needs to know about its surroundings.

    Attributes:
        paths: the train's fixed paths.
        in_container: False with `--root`.
        log_json: whether log lines are JSON.
        timeout: seconds that the train may run, or None.
        export: where to put the sealed train as a tar after the commit, or None.
        any_command: whether a command without a signed file is allowed.
        host_protocol: whether the host says that it does the protocol, or that it does not.
        values: the variables that the train inherits; no key, no password.
    """

    paths: Paths
    in_container: bool
    log_json: bool
    timeout: float | None
    export: Path | None
    any_command: bool
    host_protocol: bool | None
    values: Mapping[str, str] = field(repr=False)
    _secrets: Mapping[str, str] = field(repr=False)

    def station(self) -> str:
        """Return the id of this station, or raise SettingsError."""
        if "STATION_ID" not in self.values:
            raise self.no_station()
        return self.values["STATION_ID"]

    def no_station(self) -> SettingsError:
        """Return the refusal of a visit that needs the id of this station."""
        folder = self.paths.station
        empty = "" if _is_filled(folder) else f", and {folder} is empty or not there"
        mount = f"mount the station folder at {folder}, read-only; " if empty else ""
        return SettingsError(
            "station-id-missing",
            f"STATION_ID is not set{empty}",
            hint=f"{mount}set it, as it is on the train, in {folder / _ENV_FILE} "
            "or in the environment; where the host opens and seals trains itself, "
            "set PHT_HOST_PROTOCOL=1 instead",
        )

    def identity(self) -> list[str]:
        """Return the names of what says who this station is: its id, keys, and what goes with them.

        Anything in the station folder beside its settings counts: a key may be called otherwise.
        """
        station_id = ["STATION_ID"] if "STATION_ID" in self.values else []
        files = [str(path) for path in _files(self.paths.station) if path.name != _ENV_FILE]
        return [*station_id, *dict.fromkeys([*self._secrets, *self._usual_key(), *files])]

    def private_key(self) -> PrivateKey:
        """Read the station's private key from the one place that is set.

        Raises:
            SettingsError: none or several are set, or what is there is no usable key.
        """
        values = [name for name in _KEY_VALUES if name in self._secrets]
        files = self._files_named(_KEY_FILES, self._usual_key())
        sources = [*values, *files]
        if len(sources) != 1:
            raise self._which_key(sources)
        source = sources[0]
        if values:
            pem = _from_hex(source, self._secrets[source])
        else:
            pem = pem_of_file(_read(files[source], source))
        password = self._password()
        if not password and b"ENCRYPTED" in pem:
            raise SettingsError(
                "private-key-unusable",
                f"the private key from {source} is encrypted, and there is no password",
                hint=f"put its password into {self.paths.station / _PASSWORD_FILE} "
                "or set PRIVATE_KEY_PASSWORD_FILE",
            )
        return load_private_key(pem, password, source)

    def train_environment(self) -> dict[str, str]:
        """Return the whole environment of the train's command."""
        return {
            **self.values,
            "PHT_TRAIN_DIR": str(self.paths.train),
            "PHT_RESULTS_DIR": str(self.paths.results),
            "PYTHONDONTWRITEBYTECODE": "1",  # a cache beside the signed files would be unsigned
        }

    def _usual_key(self) -> list[str]:
        """Return the path of the file where a key lies without being named, if there is one."""
        usual = [self.paths.station / "private_key.pem", _secret(self.paths)]
        return [str(path) for path in usual if _is_there(path)][:1]

    def _files_named(self, names: Sequence[str], usual: Iterable[str]) -> dict[str, Path]:
        """Return the files that settings name and the usual ones, each once, by their description.

        A description does not hold the value of a setting that may be no path but a secret.
        """
        given = {name: self._secrets[name] for name in names if name in self._secrets}
        files = {described(name, path): path for name, path in given.items()}
        return distinct({**files, **{path: path for path in usual}})

    def _password(self) -> bytes | None:
        """Return the password of the key, or None; an empty file has none."""
        usual = self.paths.station / _PASSWORD_FILE
        files = self._files_named(_PASSWORD_FILES, [str(usual)] if _is_there(usual) else [])
        found = {name: _read(path, name).rstrip(b"\r\n") for name, path in files.items()}
        if value := self._secrets.get(_PASSWORD):
            found[_PASSWORD] = os.fsencode(value)
        passwords = {source: password for source, password in found.items() if password}
        if len(passwords) > 1:
            raise _both_set([*passwords])
        return next(iter(passwords.values()), None)

    def _which_key(self, sources: list[str]) -> SettingsError:
        if sources:
            return _both_set(sources)
        return SettingsError(
            "private-key-missing",
            "no private key of the station is set",
            hint=f"put it at {self.paths.station / 'private_key.pem'}, in a container by a "
            "read-only mount of that folder, or set RSA_STATION_PRIVATE_KEY_FILE",
        )


def load(root: Path | None, environment: Mapping[str, str]) -> Settings:
    """Collect the settings.

    Args:
        root: the folder in front of every fixed path, or None in a container.
        environment: of this process.

    Raises:
        SettingsError: a variable is unknown, not built yet, set twice, not trusted here or
            malformed; or the station folder is not mounted read-only.
        IntegrityError: the image leads to another folder in its place.
    """
    paths = Paths(root.absolute() if root else Path("/"))  # the train may go elsewhere
    if root is None:
        _refuse_links(paths)
    outside = _set(environment)
    folder = _set(_station_folder(paths, in_container=root is None))
    _check_names({*outside, *folder})
    if root is None and (untrusted := _LOWERS_PROTECTION & outside.keys()):
        raise SettingsError(
            "setting-not-trusted",
            f"{min(untrusted)} lowers a protection and comes from the environment or the image",
            hint="set it in station.env of the folder that is mounted read-only at /run/pht",
        )
    different = [name for name in folder if outside.get(name, folder[name]) != folder[name]]
    if different:
        raise _both_set([f"{different[0]} in station.env", f"{different[0]} in the environment"])
    for place, given in ((_ENV_FILE, folder), ("the environment", outside)):
        station_env.refuse_decoration(given, _EXACT_SETTINGS, place)
    values = {**outside, **folder}
    return Settings(
        paths=paths,
        in_container=root is None,
        log_json=_choice(values, "PHT_LOG", ("text", "json")) == "json",
        timeout=_seconds(values, "PHT_TIMEOUT"),
        export=_file_path(values, "PHT_EXPORT"),
        any_command=_choice(values, "PHT_COMMAND", ("signed", "any")) == "any",
        host_protocol=_HOST_PROTOCOL[_choice(values, "PHT_HOST_PROTOCOL", (*_HOST_PROTOCOL,))],
        values={name: value for name, value in values.items() if name not in _SECRET},
        _secrets={name: value for name, value in values.items() if name in _SECRET},
    )


def in_reach(paths: Paths, environment: Mapping[str, str]) -> list[str]:
    """Return the variables and paths that show a train here, or a station's settings, key or data.

    Raises:
        SettingsError: the station folder cannot be read.
    """
    of_station = {*_SECRET, *_KNOWN, "STATION_ID", "TRAIN_DATA_PATH"} - {"PHT_LOG"}
    names = [name for name in sorted(of_station) if environment.get(name)]
    parts = (paths.config, paths.user_key, paths.train, paths.results, paths.data, _secret(paths))
    found = [path for path in parts if _is_there(path)]
    found += [paths.station] if _is_filled(paths.station) else []
    return [*names, *map(str, found)]


def _set(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that are empty and then count as not set."""
    return {
        name: value
        for name, value in variables.items()
        if value or not (name.startswith("PHT_") or name in _EMPTY_IS_UNSET)
    }


def _refuse_links(paths: Paths) -> None:
    """Refuse an image that leads what is mounted at a place of the station's own to another."""
    for place in (paths.station, paths.secrets, paths.data):
        if _is_there(place):
            refuse_links(place.parent, place)


def _secret(paths: Paths) -> Path:
    """Return where engines mount the key if it is given as a secret."""
    return paths.secrets / "rsa_station_private_key"


def _station_folder(paths: Paths, *, in_container: bool) -> dict[str, str]:
    """Return the variables of station.env, or nothing if there is no station folder."""
    folder = paths.station
    if not _is_filled(folder):
        return {}
    if in_container and not (is_mount_point(folder) and mount_of(folder).read_only):
        raise SettingsError(
            "station-folder-writable",
            f"{folder} is not a read-only mount, so the image could have filled it",
            hint="mount the station folder with -v /etc/pht:/run/pht:ro",
        )
    if in_container and hides_another(folder):
        raise SettingsError(
            "setting-twice",
            f"more than one folder is mounted at {folder}: another one may hide the station folder",
            hint="mount only the station folder there; if you did, a link in the image leads "
            "another mount there: do not use this image",
        )
    for name in _FILES_NOT_BUILT:
        if (folder / name).exists():
            raise _not_built(f"{folder / name}")
    path = folder / _ENV_FILE
    return station_env.parse(path, _read(path, str(path))) if _is_there(path) else {}


def _check_names(names: Iterable[str]) -> None:
    for name in sorted(names):
        if name in _NOT_BUILT:
            raise _not_built(name)
        if name.startswith("PHT_") and name not in _KNOWN and not re.fullmatch(_SERVICE_LINK, name):
            raise SettingsError(
                "setting-unknown",
                f"{name} is not a setting of this runner",
                hint="known are " + ", ".join(sorted(_KNOWN)) + "; remove or correct it",
            )


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = values.get(name, choices[0])
    if value not in choices:
        raise SettingsError(
            "setting-malformed",
            f"{name} is none of: {', '.join(choices)}",
            hint=f"set it to one of these, or leave it out for {choices[0]}",
        )
    return value


def _file_path(values: Mapping[str, str], name: str) -> Path | None:
    text = values.get(name)
    if text is not None and ("://" in text or looks_like_address(text)):
        raise SettingsError(
            "setting-malformed",
            f"{name} is an address and not the path of a file; it may hold a password and is not "
            "shown",
            hint="set it to the path of a file that is to be made, as /out/train.tar",
        )
    return None if text is None else Path(text)


def _seconds(values: Mapping[str, str], name: str) -> float | None:
    text = values.get(name)
    if text is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise SettingsError(
            "setting-malformed",
            f"{name} is not a whole number of seconds from 1 on",
            hint="for example PHT_TIMEOUT=3600 for one hour; leave it out for no limit",
        )
    return None if text is None else float(text)


def _from_hex(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise SettingsError(
            "private-key-unusable",
            f"{name} is not hex",
            hint="it holds the hex of the PEM file: od -An -v -tx1 key.pem | tr -d ' \\n'",
        ) from None


def _is_filled(folder: Path) -> bool:
    """Return whether there is a station folder with anything in it."""
    return bool(_files(folder))


def _files(folder: Path) -> list[Path]:
    """Return what lies in the station folder, sorted; nothing if there is none.

    In a projected volume of Kubernetes there are the folders of its versions too, as `..data`.
    """
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except PermissionError:
        raise _denied(str(folder)) from None
    return [path for path in found if not path.name.startswith("..")]


def _is_there(path: Path) -> bool:
    """Return whether anything has this name.

    A folder, which engines make of a mount whose source is missing, or a link to nowhere is then
    refused as unreadable and not passed over.
    """
    return os.path.lexists(path)


def _read(path: Path, description: str) -> bytes:
    """Return the contents of a small file, which messages name by its description."""
    try:
        with path.open("rb") as file:
            data = file.read(SETTINGS_BYTES + 1)
    except PermissionError:
        raise _denied(description) from None
    except OSError as error:
        problem = (error.strerror or "it is unreadable").lower()
    else:
        if len(data) <= SETTINGS_BYTES:
            return data
        problem = f"it is larger than {SETTINGS_BYTES // 1024} KiB"
    raise SettingsError(
        "setting-unreadable",
        f"cannot read {description}: {problem}",
        hint="check the path, and that a file of the station lies there",
    )


def _denied(description: str) -> SettingsError:
    return SettingsError(
        "setting-unreadable",
        f"{this_user()}, gid {os.getgid()}, as whom the runner was started, may not read "
        f"{description}",
        hint=f"on the host give uid {host_uid()} access to it and to the folders above it, for "
        f"example with setfacl -m u:{host_uid()}:rX PATH{selinux_hint()}",
    )


def _both_set(sources: list[str]) -> SettingsError:
    return SettingsError(
        "setting-twice",
        f"the same thing is set in more than one place: {', '.join(sources)}",
        hint="keep one of them",
    )


def _not_built(name: str) -> SettingsError:
    return SettingsError(
        "setting-not-built",
        f"{name} is planned but does nothing in this version, so it is refused",
        hint="remove it; do not rely on the protection it stands for",
    )
