"""The rows of `pht doctor` about the train's process: its data, and the layers around it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from entrypoint.errors import SettingsError
from entrypoint.model import LAYERS
from entrypoint.process import landlock, seccomp
from entrypoint.process.credentials import Credentials
from entrypoint.settings.settings import Settings
from entrypoint.station.row import Notes, Row, Verdict, judged, row_of_error
from entrypoint.station.station_rows import ledger_row
from entrypoint.station.trial import Trial, Tried, make_trial
from entrypoint.visit.data import check_data
from entrypoint.visit.key_reach import check_key_reach, check_read_twice
from entrypoint.visit.ledger_reach import check_ledger_reach
from entrypoint.visit.protection import may_override
from entrypoint.visit.session import Session
from entrypoint.visit.train_reach import usable_credentials
from entrypoint.visit.train_user import train_credentials

_OPTIONS = "start the container with the options that docs/station.md recommends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The process of a train, as a visit would start it here.

    Attributes:
        session: of the command; its report is `notes`.
        notes: what a visit would log.
        credentials: of the train, before it may get DAC_OVERRIDE for its data.
    """

    session: Session
    notes: Notes
    credentials: Credentials


def process_of_train(settings: Settings) -> Process:
    """Choose the train's user as a visit does.

    Raises:
        PhtError: a visit would be refused here.
    """
    notes = Notes()
    session = Session(settings, notes)
    credentials = train_credentials(settings, notes)
    credentials = usable_credentials(session, credentials, may_override=may_override())
    return Process(session=session, notes=notes, credentials=credentials)


def data_row(check: str, settings: Settings) -> Row:
    """Return the row of the data that the train's user reads.

    Raises:
        PhtError: a visit would be refused here.
    """
    values, folder = settings.values, settings.paths.data
    if "TRAIN_DATA_PATH" not in values:
        if not folder.is_dir():
            return Row(
                check=check,
                verdict=Verdict.NOT_SET,
                found=f"TRAIN_DATA_PATH is not set, and there is no {folder}",
                advice="mount the data as a visit does, and set TRAIN_DATA_PATH, to have this "
                "checked",
            )
        settings = replace(settings, values={**values, "TRAIN_DATA_PATH": str(folder)})
    process = process_of_train(settings)
    check_data(process.session, process.credentials, may_override=may_override())
    if warnings := process.notes.warnings:
        return Row(check=check, verdict=Verdict.WARNING, found="; ".join(warnings))
    name = settings.values["TRAIN_DATA_PATH"]
    return Row(
        check=check,
        verdict=Verdict.OK,
        found=f"the train, uid {process.credentials.uid}, can read {name}",
    )


def layer_rows(settings: Settings) -> list[Row]:
    """Return the rows of the train's process, of each layer of protection, and of the ledger."""
    try:
        process = process_of_train(settings)
        trial = make_trial(process.session, process.credentials)
    except Exception as error:
        return [row_of_error("sandbox", error), *_rows_without_sandbox(settings)]
    uid, gid = process.credentials.uid, process.credentials.gid
    found = f"a process starts in the sandbox of a visit, as uid {uid}, gid {gid}"
    *layers, key_absent = LAYERS
    finders: dict[str, Callable[[str], Row]] = {
        **dict.fromkeys(layers, partial(_layer_row, process=process, trial=trial)),
        key_absent: partial(_key_row, process=process, trial=trial),
        "ledger": partial(_ledger_row, process=process, trial=trial),
    }
    return [
        Row(check="sandbox", verdict=Verdict.OK, found=found),
        *(judged(check, find) for check, find in finders.items()),
    ]


def _rows_without_sandbox(settings: Settings) -> list[Row]:
    text = "not tried: there is no sandbox"
    return [
        *(Row(check=layer, verdict=Verdict.NOT_SET, found=text) for layer in LAYERS),
        judged("ledger", partial(ledger_row, settings=settings)),
    ]


def _layer_row(layer: str, process: Process, trial: Trial) -> Row:
    """Return the row of a layer by what it holds alone."""
    if layer not in trial.alone:
        found, advice = _missing(layer, process)
        return Row(check=layer, verdict=Verdict.WARNING, found=found, advice=advice)
    outcomes = trial.alone[layer]
    if succeeded := [one for one in outcomes if one.error == 0]:
        return Row(
            check=layer,
            verdict=Verdict.WARNING,
            found=f"this layer alone does not stop {_words(succeeded)}",
            advice="let only root read the files of the station: chmod 600 on the host"
            if layer == "uid"
            else "do not rely on it; report this line to the makers of the runner",
        )
    held = [one for one in outcomes if one.is_held]
    others = [one for one in outcomes if one.is_refused and not one.is_held]
    parts = [("refuses", held), ("forbidden here anyway:", others)]
    found = "; ".join(f"{words} {_words(some)}" for words, some in parts if some)
    if not found:
        return Row(
            check=layer,
            verdict=Verdict.NOT_SET,
            found="active, but the station has nothing here to try it on",
        )
    return Row(check=layer, verdict=Verdict.OK, found=found)


def _missing(layer: str, process: Process) -> tuple[str, str]:
    """Return why a sandbox lacks a layer, and what to do."""
    notes = process.notes
    match layer:
        case "uid":
            reason = next(iter(notes.infos), "the train runs as the runner's own user")
            return reason, f"{_OPTIONS}, as root"
        case "caps":
            reason = next(iter(notes.warnings), "the train keeps a capability")
            return reason, "give the train's user access to it on the host, with setfacl"
        case "landlock" if landlock.abi() == 1:
            return (
                "only the first version, which is not used where the train has a user of its own",
                "use Linux 5.19 or newer",
            )
        case "landlock":
            return (
                "this kernel or the engine's profile of seccomp has none",
                "use Linux 5.19 and Docker 20.10.18 or newer",
            )
        case "seccomp" if not seccomp.is_for_this_machine():
            return (
                "there is a filter for 64-bit programs on x86-64 and arm64 only",
                "use a machine and an image of one of these",
            )
    return (
        "no filter can be installed here",
        "look whether the engine's profile of seccomp forbids it",
    )


def _key_row(check: str, process: Process, trial: Trial) -> Row:
    """Return the row of the key's absence: the check of a visit, and attempts under all layers.

    Raises:
        SettingsError: the train could reach the key, and the station does not allow that.
    """
    session = process.session
    check_read_twice(session.settings)
    before = len(process.notes.warnings)
    check_key_reach(session, process.credentials)
    stolen = [one for one in trial.key if one.error == 0]
    if stolen and not session.settings.allow_unprotected_key:
        raise SettingsError(
            "key-reachable",
            f"the train succeeds in {_words(stolen)}",
            hint=f"{_OPTIONS}; without Landlock let only root read the key",
        )
    if stolen or len(process.notes.warnings) > before:
        found = "; ".join([*process.notes.warnings[before:], *filter(None, [_words(stolen)])])
        return Row(
            check=check,
            verdict=Verdict.WARNING,
            found=found,
            advice="remove PHT_ALLOW_UNPROTECTED_KEY from station.env when it is not needed",
        )
    return Row(check=check, verdict=Verdict.OK, found=f"the train fails in {_words(trial.key)}")


def _ledger_row(check: str, process: Process, trial: Trial) -> Row:
    """Return the row of the ledger, with the check of a visit and the attempts under all layers.

    Raises:
        PhtError: it cannot be used, or the train could reach it.
    """
    row = ledger_row(check, process.session.settings)
    check_ledger_reach(process.session, process.credentials)
    if reached := [one for one in trial.ledger if one.error == 0]:
        raise SettingsError(
            "ledger-reachable",
            f"the train succeeds in {_words(reached)}",
            hint=f"{_OPTIONS}; without Landlock let only root use the ledger",
        )
    return row


def _words(outcomes: Iterable[Tried]) -> str:
    return ", ".join(one.attempt.words for one in outcomes)
