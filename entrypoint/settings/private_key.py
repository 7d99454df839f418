"""The station's private key: where it and its password are set, and loading it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.key_forms import pem_of_file
from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import SettingsError, SystemFailure
from entrypoint.linux import secret_memory
from entrypoint.model import Paths
from entrypoint.settings.held_key import HeldValue
from entrypoint.settings.names import KEY_FILES, KEY_VALUES, PASSWORD, PASSWORD_FILES
from entrypoint.settings.problems import set_twice
from entrypoint.settings.redaction import name_and_value
from entrypoint.settings.station_env import refuse_decoration
from entrypoint.settings.station_folder import exists, read_file

_KEY_FILE = "private_key.pem"
_PASSWORD_FILE = "private_key.password"
_ENVIRONMENT = "the environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """The settings of the private key.

    Attributes:
        paths: the fixed paths, below which the default files lie.
        variables: those of the settings in `names.SECRET` that are set; in the program itself a
            key or password is a `HeldValue`.
    """

    paths: Paths
    variables: Mapping[str, str] = field(repr=False)

    def sources(self) -> list[str]:
        """Return the names of the variables that are set, and the default key file if it exists."""
        return [*self.variables, *self.default_key()]

    def default_key(self) -> list[str]:
        """Return the path of the key file that needs no setting, if there is one."""
        places = (self.paths.station / _KEY_FILE, secret_file(self.paths))
        return [str(path) for path in places if exists(path)][:1]

    def files(self) -> list[Path]:
        """Return where the key and its password may lie as files, whether or not they do."""
        set_paths = [self.variables.get(name) for name in (*KEY_FILES, *PASSWORD_FILES)]
        folder = self.paths.station
        defaults = (folder / _KEY_FILE, folder / _PASSWORD_FILE, secret_file(self.paths))
        return [*(Path(path).absolute() for path in set_paths if path), *defaults]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """The private key as it is set, not loaded yet.

    Attributes:
        source: a description of its place, for messages.
        path: of its file; None if a variable holds it.
        pem: the key in PEM.
        is_hex: whether it is set as the hex of that.
    """

    source: str
    path: Path | None
    pem: bytes = field(repr=False)
    is_hex: bool

    @property
    def is_encrypted(self) -> bool:
        """True if it needs a password."""
        return b"ENCRYPTED" in self.pem


def secret_file(paths: Paths) -> Path:
    """Return the path at which engines mount the key if it is given as a secret."""
    return paths.secrets / "rsa_station_private_key"


def load_station_key(settings: KeySettings, *, validated: bool = False) -> PrivateKey:
    """Load the station's private key from the one place where it is set.

    Args:
        settings: of the key.
        validated: whether its numbers have been validated already.

    Raises:
        SettingsError: the key is set nowhere or in several places, or is not usable.
    """
    found = find_key(settings)
    password = _password(settings)
    if not password and found.is_encrypted:
        raise SettingsError(
            "private-key-unusable",
            f"the private key from {found.source} is encrypted, and there is no password",
            hint=f"put its password into {settings.paths.station / _PASSWORD_FILE} "
            "or set PRIVATE_KEY_PASSWORD_FILE",
        )
    return load_private_key(found.pem, password, found.source, validated=validated)


def find_key(settings: KeySettings) -> FoundKey:
    """Return the station's private key as it is set.

    Raises:
        SettingsError: it is set nowhere or in several places, or cannot be read.
    """
    values = [name for name in KEY_VALUES if name in settings.variables]
    files = _files(settings, KEY_FILES, settings.default_key())
    match [*values, *files]:
        case [source]:
            if values:
                pem = _from_hex(source, _value(settings, source))
                return FoundKey(source=source, path=None, pem=pem, is_hex=True)
            data = read_file(files[source], source)
            pem = pem_of_file(data)
            return FoundKey(source=source, path=files[source], pem=pem, is_hex=pem != data)
        case []:
            raise SettingsError(
                "private-key-missing",
                "no private key of the station is set",
                hint=f"put it at {settings.paths.station / _KEY_FILE}, in a container by a "
                "read-only mount of that folder, or set RSA_STATION_PRIVATE_KEY_FILE",
            )
        case sources:
            raise set_twice(sources)


def _password(settings: KeySettings) -> bytes | None:
    """Return the password of the key, or None; an empty file holds none."""
    default = settings.paths.station / _PASSWORD_FILE
    files = _files(settings, PASSWORD_FILES, [str(default)] if exists(default) else [])
    found = {name: read_file(path, name).rstrip(b"\r\n") for name, path in files.items()}
    if PASSWORD in settings.variables:
        found[PASSWORD] = os.fsencode(_value(settings, PASSWORD))
    passwords = {source: password for source, password in found.items() if password}
    if len(passwords) > 1:
        raise set_twice([*passwords])
    return next(iter(passwords.values()), None)


def _value(settings: KeySettings, name: str) -> str:
    """Return the value of a variable that may wait in secret memory."""
    value = settings.variables[name]
    if not isinstance(value, HeldValue):
        return value
    if value.descriptor is None:
        raise SystemFailure(
            "key-not-held",
            f"{name} cannot be kept in memory that the train cannot read",
            hint="give the key as a file: mount it read-only with the station folder",
        )
    value = os.fsdecode(secret_memory.load(value.descriptor))
    refuse_decoration({name: value}, _ENVIRONMENT)
    return value


def _files(settings: KeySettings, names: Sequence[str], defaults: Iterable[str]) -> dict[str, Path]:
    """Return the files that these settings name and the default ones, by description, each once.

    A description leaves out the value of a setting that may be a secret instead of a path.
    """
    set_paths = {name: settings.variables[name] for name in names if name in settings.variables}
    files = {name_and_value(name, path): path for name, path in set_paths.items()}
    return _without_duplicates({**files, **{path: path for path in defaults}})


def _without_duplicates(paths: Mapping[str, str]) -> dict[str, Path]:
    """Return the paths, by description, without later names of the same file."""
    found: dict[str | tuple[int, int], str] = {}
    for description, path in paths.items():
        try:
            info = os.stat(path)
        except OSError:  # reading the file gives the error message
            found.setdefault(path, description)
        else:
            found.setdefault((info.st_dev, info.st_ino), description)
    return {description: Path(paths[description]) for description in found.values()}


def _from_hex(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise SettingsError(
            "private-key-unusable",
            f"{name} is not hex",
            hint="it holds the hex of the PEM file: od -An -v -tx1 key.pem | tr -d ' \\n'",
        ) from None
