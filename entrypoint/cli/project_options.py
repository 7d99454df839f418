"""Options of an author's commands that the project file can give, and those that they need."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path, PurePosixPath

from entrypoint.errors import UsageError
from entrypoint.model import GENERATIONS, PROJECT_FILE
from entrypoint.report import Report

_TRAIN = Path("train")
_NOT_GIVEN: tuple[object, ...] = (None, [])
"""Values of options that the command line does not give."""

_SPELLINGS = {"stations": ("--station", "[stations]"), "image": ("--image IMAGE", "master-image")}
"""Options that are spelt in another way than their keys in the project file: both spellings."""


def add_train(parser: ArgumentParser) -> None:
    """Add the folder of a train, beside which its project file lies."""
    text = (
        f"folder of the train's immutable files; default: {_TRAIN}. {PROJECT_FILE} beside it gives "
        "what the command line does not"
    )
    parser.add_argument(
        "train", nargs="?", default=_TRAIN, type=Path, metavar="TRAIN_DIR", help=text
    )


def add_command(parser: ArgumentParser) -> None:
    """Add the command of a train, and the working folder of its image, which is no option."""
    parser.add_argument(
        "command", nargs="*", metavar="COMMAND", help="command of the train, after --"
    )
    parser.set_defaults(workdir=None)


def add_generation(parser: ArgumentParser) -> None:
    """Add the generation of a train."""
    text = f"default: {GENERATIONS[0]}"
    parser.add_argument("--generation", choices=GENERATIONS, help=text)


def add_exclude(parser: ArgumentParser) -> None:
    """Add the patterns of what does not travel."""
    text = "files and folders of TRAIN_DIR that do not travel; may be given several times"
    parser.add_argument("--exclude", action="append", type=_pattern, metavar="PATTERN", help=text)


def add_paillier_key(parser: ArgumentParser) -> None:
    """Add the public key for encrypted numbers."""
    text = "the user's Paillier public key, under which the train adds encrypted numbers"
    parser.add_argument("--paillier-key", type=Path, metavar="FILE", help=text)


def complete(options: Namespace, report: Report) -> None:
    """Take what the command line does not give from the project file, and then the defaults.

    Raises:
        PhtError: there is such a file, but it cannot be read or is malformed.
    """
    from entrypoint.author.project import read_project

    path, values = read_project(options.train)
    if values:
        report.info(f"settings from {path}")
    values = {"generation": GENERATIONS[0], "exclude": [], **values}
    for name, value in values.items():
        if name in options and getattr(options, name) in _NOT_GIVEN:
            setattr(options, name, value)


def need(options: Namespace, *names: str) -> None:
    """Raise UsageError if neither the command line nor the project file gives all these options."""
    missing = [name for name in names if getattr(options, name) in _NOT_GIVEN]
    if missing:
        spellings = [_spellings(name) for name in missing]
        raise UsageError(
            "usage",
            f"{options.name} still needs {', '.join(option for option, _ in spellings)}",
            hint="give it on the command line, or, as in what pht new makes, as a key of pht.toml "
            f"beside the folder of the train: {', '.join(key for _, key in spellings)}",
        )


def need_command(options: Namespace) -> None:
    """Raise UsageError if neither the command line nor the project file gives the command."""
    if not options.command:
        raise UsageError(
            "no-command",
            "there is no command to run at the stations",
            hint="add the CMD of the train's image at the end: -- python /opt/pht_train/FILE, or "
            "give it as a key of pht.toml beside the folder of the train: command",
        )


def _spellings(name: str) -> tuple[str, str]:
    """Return an option as it is given on the command line, and its key in the project file."""
    key = name.replace("_", "-")
    return _SPELLINGS.get(name, (f"--{key}", key))


def _pattern(text: str) -> str:
    if not PurePosixPath(text).parts:
        raise ArgumentTypeError("an empty pattern matches nothing")
    return text
