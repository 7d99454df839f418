"""The words of the command line: which commands there are, and which options each of them takes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from entrypoint import __version__
from entrypoint.errors import UsageError, usage_error
from entrypoint.model import GENERATIONS

if TYPE_CHECKING:
    from entrypoint.cli.parser import Parser

_STATION_COMMANDS = {
    "run": "the whole visit",
    "pre-run": "verify and decrypt; leave the train to be run by hand",
    "post-run": "seal what this station's pre-run has opened",
    "undo": "put the encrypted state back: after pre-run, or if results wait for room",
    "check": "verify everything and write nothing",
    "inspect": "show the route and what each stop did",
    "query": "print the verified query.json, for fetching the data",
    "export": "write the train's paths as a tar",
}
_AUTHOR_COMMANDS = {
    "keygen": "make a pair of keys",
    "create": "build and sign a train",
    "simulate": "send a train through a whole route on this desk",
    "decrypt-results": "verify and decrypt a train's results",
}
_COMMANDS = {**_STATION_COMMANDS, **_AUTHOR_COMMANDS, "help": "show this text"}
_NOT_BUILT = ("doctor", "validate-image", "describe-image")
_Add = Callable[..., object]
_DESCRIPTION = """Runs a Personal Health Train: verifies it, decrypts the results, runs the train's
command, signs and encrypts the new results. Arguments that begin with none of these commands are
the train's command for a whole visit."""


def parse(arguments: Sequence[str]) -> SimpleNamespace:
    """Return the name and the options of one command.

    Arguments that begin with no command are the train's command for `run`; what follows the first
    `--` is the train's command too.

    Raises:
        UsageError: the arguments make no sense.
    """
    options, command = _split(_with_command(arguments))
    if options == ["run"]:  # as in every image: it does not wait for a parser
        return SimpleNamespace(name="run", root=None, command=command)
    parser = _parser(name for name in options[:1] if name in _COMMANDS)
    parsed = parser.parse_args(options, SimpleNamespace())
    if "command" in vars(parsed):
        parsed.command = [*parsed.command, *command]
    elif command:
        raise usage_error(f"{parsed.name} takes no command")
    return parsed


def help_text() -> str:
    """Return what `pht help` shows."""
    return _parser(_COMMANDS).format_help()


def _with_command(arguments: Sequence[str]) -> list[str]:
    if not arguments:
        raise UsageError(
            "no-command",
            "there is no command to run",
            hint='build an image FROM this one with CMD ["python", "/opt/pht_train/FILE"], or try '
            "a train first with pht simulate; pht help lists the commands",
            by="author",
        )
    first = arguments[0]
    if first in ("-h", "--help"):
        return ["help"]
    if first in _NOT_BUILT:
        raise UsageError(
            "command-not-built",
            f"{first} is planned but not part of this version",
            hint="pht help lists what there is",
        )
    if first in _COMMANDS or first == "--version":
        return list(arguments)
    if first.startswith("-"):
        raise usage_error(f"{first} stands before the command")
    return ["run", "--", *arguments]


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what stands before the first `--` and what stands behind it."""
    words = list(arguments)
    position = words.index("--") if "--" in words else len(words)
    return words[:position], words[position + 1 :]


def _parser(names: Iterable[str]) -> "Parser":
    """Return the parser of these commands."""
    from entrypoint.cli.parser import Parser

    parser = Parser(prog="pht", add_help=False, allow_abbrev=False, description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"pht {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for name in names:
        text = _COMMANDS[name]
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name in _STATION_COMMANDS:
            root = (
                "a folder in front of /opt and every other fixed path, to work without a container"
            )
            command.add_argument("--root", type=Path, metavar="DIR", help=root)
        if name in _OPTIONS:
            _OPTIONS[name](command.add_argument)
    return parser


def _add_run(add: _Add) -> None:
    add("command", nargs="*", metavar="COMMAND", help="of the train; after -- if it has options")


def _add_inspect(add: _Add) -> None:
    add("--json", action="store_true", help="for machines")


def _add_export(add: _Add) -> None:
    add("--output", required=True, type=Path, metavar="FILE", help="the tar; - is stdout")


def _add_keygen(add: _Add) -> None:
    add("key_name", type=Path, metavar="NAME", help="of NAME.private.pem and NAME.public.pem")
    add("--bits", type=int, default=3072, metavar="N", help="size of the key; default 3072")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of the private key")
    add("--no-password", action="store_true", help="leave the private key unencrypted")


def _add_create(add: _Add) -> None:
    add("train", type=Path, metavar="TRAIN_DIR", help="the immutable files")
    add("--output", required=True, type=Path, metavar="ROOT", help="the folder to make")
    add("--user-key", required=True, type=Path, metavar="PEM", help="the user's private key")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of that key")
    add("--builder-key", type=Path, metavar="PEM", help="the builder's, of the route generation")
    add("--builder-password-file", type=Path, metavar="FILE", help="holds the password of that key")
    _add_generation(add)
    add("--user", required=True, metavar="ID", help="id of the user")
    add("--train-id", required=True, metavar="ID", help="id of the train")
    station = "a station and its public key; once for each, in the order of the route"
    add("--station", required=True, action="append", type=_station, metavar="ID=PEM", help=station)
    add("--proposal", default="", metavar="ID", help="id of the proposal")
    image = "what the train's image is built FROM, as stations can pull it: REGISTRY/NAME:VERSION"
    add("--master-image", default="", metavar="IMAGE", help=image)


def _add_generation(add: _Add) -> None:
    add("--generation", choices=GENERATIONS, default=GENERATIONS[0], help="default: %(default)s")


def _add_simulate(add: _Add) -> None:
    add("train", type=Path, metavar="TRAIN_DIR", help="the immutable files")
    data = "holds one folder of data for each station, named by its id"
    add("--data", required=True, type=Path, metavar="DIR", help=data)
    add("--route", type=_ids, metavar="ID,ID,…", help="default: every folder, in order")
    add("--keys", type=Path, metavar="DIR", help="holds ID.private.pem of stations that have one")
    add("--output", type=Path, metavar="DIR", help="where to put the decrypted final results")
    add("--keep", type=Path, metavar="DIR", help="where to keep the folders of every station")
    add("--image", metavar="IMAGE", help="make every stop a container of this master image")
    _add_generation(add)
    add("command", nargs="*", metavar="COMMAND", help="of the train, after --")


def _add_decrypt_results(add: _Add) -> None:
    add("source", type=Path, metavar="SOURCE", help="an export tar, or the folder of a train")
    add("--key", required=True, type=Path, metavar="PEM", help="the private key")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of that key")
    add("--station", metavar="ID", help="the key is this station's, not the user's")
    add("--output", required=True, type=Path, metavar="DIR", help="the folder to make")


def _station(text: str) -> tuple[str, Path]:
    station, equals, path = text.partition("=")
    if not (station and equals and path):
        raise usage_error("argument --station: is not ID=PEM")
    return station, Path(path)


def _ids(text: str) -> list[str]:
    ids = text.split(",")
    if "" in ids:
        raise usage_error("argument --route: has an empty id")
    return ids


_OPTIONS: dict[str, Callable[[_Add], None]] = {
    "run": _add_run,
    "inspect": _add_inspect,
    "export": _add_export,
    "keygen": _add_keygen,
    "create": _add_create,
    "simulate": _add_simulate,
    "decrypt-results": _add_decrypt_results,
}
