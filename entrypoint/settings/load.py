"""Builds `Settings` from the environment and the station folder.

A derived image can carry any ENV and any file, so settings that decide how the station is
protected count only from the station folder, mounted read-only at /run/pht. With `--root`, outside
a container, the operator's own environment counts. Contradictions are errors, never guesses.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.files.attributes import Owner
from entrypoint.files.links import refuse_links
from entrypoint.model import Paths
from entrypoint.settings import names, station_env, station_folder
from entrypoint.settings.ledger_folder import find_ledger
from entrypoint.settings.private_key import KeySettings, secret_file
from entrypoint.settings.problems import not_built, set_twice
from entrypoint.settings.redaction import looks_like_address
from entrypoint.settings.settings import Settings
from entrypoint.trust.anchors import Anchors, Pins

_MAX_ID = 2**31 - 1
_HOST_PROTOCOL = {"auto": None, "0": False, "1": True}


def load(root: Path | None, environment: Mapping[str, str]) -> Settings:
    """Return the settings.

    Args:
        root: the folder in front of every fixed path, or None in a container.
        environment: of this process.

    Raises:
        SettingsError: a setting is unknown, not supported yet, set twice, not trusted here or
            malformed; the station folder is not mounted read-only; or the ledger is unusable.
        IntegrityError: the image has a link in the place of a folder of the station.
    """
    paths = Paths(root.absolute() if root else Path("/"))  # the train may change its directory
    in_container = root is None
    if in_container:
        refuse_links_of_image(paths)
        station_folder.check_mount(paths.station)
    outside = without_empty(environment)
    folder = without_empty(station_folder.read_variables(paths.station))
    check(outside, folder, in_container=in_container)
    return settings_of(
        paths,
        {**outside, **folder},
        pins=station_folder.read_pins(paths.station),
        ledger=find_ledger(paths.ledger, in_container=in_container),
        in_container=in_container,
    )


def settings_of(
    paths: Paths,
    values: Mapping[str, str],
    *,
    pins: Pins,
    ledger: Path | None,
    in_container: bool,
) -> Settings:
    """Return the settings that checked variables make.

    Args:
        paths: of the train.
        values: the variables, of the environment and of station.env.
        pins: the keys that the station has pinned.
        ledger: the folder of its ledger, if it has one.
        in_container: whether there is no `--root`.

    Raises:
        SettingsError: a value is malformed.
    """
    secret = {name: value for name, value in values.items() if name in names.SECRET}
    return Settings(
        paths=paths,
        in_container=in_container,
        log_json=_choice(values, "PHT_LOG", ("text", "json")) == "json",
        timeout=_seconds(values, "PHT_TIMEOUT"),
        export=_file_path(values, "PHT_EXPORT"),
        any_command=_choice(values, "PHT_COMMAND", ("signed", "any")) == "any",
        allow_unprotected_key=_choice(values, "PHT_ALLOW_UNPROTECTED_KEY", ("0", "1")) == "1",
        host_protocol=_HOST_PROTOCOL[_choice(values, "PHT_HOST_PROTOCOL", (*_HOST_PROTOCOL,))],
        train_user=_user(values, "PHT_TRAIN_USER"),
        expected_train=values.get("PHT_EXPECT_TRAIN"),
        anchors=Anchors(
            pins=pins,
            own=values.get("STATION_ID"),
            required=_choice(values, "PHT_TRUST", ("report", "require")) == "require",
        ),
        ledger=ledger,
        replay_allowed=_choice(values, "PHT_REPLAY", ("refuse", "allow")) == "allow",
        values={name: value for name, value in values.items() if name not in secret},
        key_settings=KeySettings(paths=paths, variables=secret),
    )


def expected_train(paths: Paths, environment: Mapping[str, str]) -> str | None:
    """Return the value of PHT_EXPECT_TRAIN, for a command that needs no other setting.

    Raises:
        SettingsError: station.env is malformed, or both sources set it and differ.
    """
    name = "PHT_EXPECT_TRAIN"
    folder = without_empty(station_folder.read_variables(paths.station))
    values = [given[name] for given in (folder, without_empty(environment)) if name in given]
    if len({*values}) > 1:
        raise set_twice([f"{name} in station.env", f"{name} in the environment"])
    return values[0] if values else None


def inputs_present(paths: Paths, environment: Mapping[str, str]) -> list[str]:
    """Return the variables and paths here that belong to a train, or to a station.

    Raises:
        SettingsError: the station folder cannot be read.
    """
    of_station = (names.SECRET | names.KNOWN | names.FREE_TEXT) - {"PHT_LOG"}
    variables = [name for name in sorted(of_station) if environment.get(name)]
    of_train = (paths.config, paths.user_key, paths.train, paths.results)
    places = (*of_train, paths.data, secret_file(paths))
    found = [path for path in places if station_folder.exists(path)]
    found += [paths.station] if station_folder.is_filled(paths.station) else []
    return [*variables, *map(str, found)]


def without_empty(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that count as not set because they are empty."""
    return {
        name: value
        for name, value in variables.items()
        if value or not (name.startswith("PHT_") or name in names.EMPTY_IS_UNSET)
    }


def refuse_links_of_image(paths: Paths) -> None:
    """Refuse an image with links that lead the station's mounts to another place.

    Raises:
        IntegrityError: it has one.
    """
    for place in (paths.station, paths.secrets, paths.data, paths.ledger):
        if station_folder.exists(place):
            refuse_links(*reversed(place.parents), place)


def check(outside: Mapping[str, str], folder: Mapping[str, str], *, in_container: bool) -> None:
    """Check the names of all variables, and that both sources may set them and agree.

    Args:
        outside: variables of the environment.
        folder: variables of station.env.
        in_container: whether an image may have set those of the environment.

    Raises:
        SettingsError: see `load`.
    """
    _check_names({*outside, *folder})
    if in_container and (untrusted := names.FROM_STATION_FOLDER & outside.keys()):
        raise SettingsError(
            "setting-not-trusted",
            f"{min(untrusted)} decides how the station is protected, and comes from the "
            "environment or the image",
            hint="set it in station.env of the folder that is mounted read-only at /run/pht",
        )
    if variables := folder.keys() & set(names.SECRET_VALUES):
        raise SettingsError(
            "key-in-station-env",
            f"{min(variables)} is set in station.env, which is read by the process that runs the "
            "train",
            hint="put the key into private_key.pem and its password into private_key.password, "
            "beside station.env",
        )
    different = [name for name in folder if outside.get(name, folder[name]) != folder[name]]
    if different:
        raise set_twice([f"{different[0]} in station.env", f"{different[0]} in the environment"])
    station_env.refuse_decoration(folder, names.ENV_FILE)
    station_env.refuse_decoration(outside, "the environment")


def _check_names(variables: Iterable[str]) -> None:
    for name in sorted(variables):
        if name in names.NOT_BUILT:
            raise not_built(name)
        if not name.startswith("PHT_") or name in names.KNOWN:
            continue
        if not re.fullmatch(names.SERVICE_LINK, name):
            raise SettingsError(
                "setting-unknown",
                f"{name} is not a setting of this runner",
                hint=f"known are {', '.join(sorted(names.KNOWN))}; remove or correct it",
            )


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = values.get(name, choices[0])
    if value not in choices:
        raise SettingsError(
            "setting-malformed",
            f"{name} is not one of: {', '.join(choices)}",
            hint=f"set it to one of these, or leave it out for {choices[0]}",
        )
    return value


def _file_path(values: Mapping[str, str], name: str) -> Path | None:
    text = values.get(name)
    if text is not None and ("://" in text or looks_like_address(text)):
        raise SettingsError(
            "setting-malformed",
            f"{name} is an address and not the path of a file; it is not shown, since it may hold "
            "a password",
            hint="set it to the path of the file to write, for example /out/train.tar",
        )
    return None if text is None else Path(text)


def _seconds(values: Mapping[str, str], name: str) -> float | None:
    text = values.get(name)
    if text is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise SettingsError(
            "setting-malformed",
            f"{name} is not a whole number of seconds, 1 or more",
            hint="for example PHT_TIMEOUT=3600 for one hour; leave it out for no limit",
        )
    return None if text is None else float(text)


def _user(values: Mapping[str, str], name: str) -> Owner | None:
    """Return a user and a group; the group has the same number if it is left out."""
    text = values.get(name)
    if text is None:
        return None
    numbers = [int(part) if re.fullmatch(r"[0-9]{1,10}", part) else -1 for part in text.split(":")]
    if len(numbers) > 2 or not all(0 <= number <= _MAX_ID for number in numbers):
        raise SettingsError(
            "setting-malformed",
            f"{name} is not the number of a user, or UID:GID",
            hint=f"for example {name}=1000 or {name}=1000:100; leave it out for 10001:10001",
        )
    return numbers[0], numbers[-1]
