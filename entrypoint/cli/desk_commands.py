"""The commands of a train's author and of a researcher, with their options."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.cli.project_options import (
    add_command,
    add_exclude,
    add_generation,
    add_paillier_key,
    add_train,
    complete,
    need,
    need_command,
)
from entrypoint.errors import UsageError
from entrypoint.model import PROJECT_FILE
from entrypoint.report import Report

if TYPE_CHECKING:
    from entrypoint.author.create import Request
    from entrypoint.linux.namespaces import Namespaces

_LANGUAGES = ("python", "r")
_Function = Callable[[Namespace, Mapping[str, str], Report], int]


def _interruptible(function: _Function) -> _Function:
    """Let a command remove its plaintext and its processes when a signal ends it."""

    @wraps(function)
    def run(options: Namespace, environment: Mapping[str, str], report: Report) -> int:
        from entrypoint.author.interrupt import interruptible

        with interruptible():
            return function(options, environment, report)

    return run


def add_keygen_options(parser: ArgumentParser) -> None:
    """Add the options of `keygen`."""
    add = parser.add_argument
    add("key_name", type=Path, metavar="NAME", help="makes NAME.private.pem and NAME.public.pem")
    add("--bits", type=int, default=3072, metavar="N", help="size of the key; default 3072")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of the private key")
    add("--no-password", action="store_true", help="leave the private key unencrypted")
    paillier = (
        "for encrypted numbers: makes NAME.paillier.private.json and NAME.paillier.public.json"
    )
    add("--paillier", action="store_true", help=paillier)


@_interruptible
def keygen(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Make a pair of keys."""
    from entrypoint.author.keygen import keygen, keygen_paillier

    if options.paillier:
        keygen_paillier(
            options.key_name,
            bits=options.bits,
            password_file=options.password_file,
            report=report,
        )
        return 0
    keygen(
        options.key_name,
        bits=options.bits,
        password_file=options.password_file,
        no_password=options.no_password,
        report=report,
    )
    return 0


def add_new_options(parser: ArgumentParser) -> None:
    """Add the options of `new`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="NAME", help="new folder")
    text = "language of the train; default: %(default)s"
    add("--language", choices=_LANGUAGES, default=_LANGUAGES[0], help=text)


@_interruptible
def new(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Make a folder to write a train in."""
    from entrypoint.author.new import new

    new(options.folder, options.language, report)
    return 0


def add_create_options(parser: ArgumentParser) -> None:
    """Add the options of `create`."""
    text = "new folder for the train"
    parser.add_argument("--output", required=True, type=Path, metavar="ROOT", help=text)
    _add_request(parser)


def _add_request(parser: ArgumentParser) -> None:
    """Add the options that describe a train to be signed."""
    add = parser.add_argument
    add_train(parser)
    add("--user-key", type=Path, metavar="PEM", help="the user's private key")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of that key")
    builder = "the builder's private key, of the route generation"
    add("--builder-key", type=Path, metavar="PEM", help=builder)
    add("--builder-password-file", type=Path, metavar="FILE", help="holds the password of that key")
    add_generation(parser)
    add("--user", metavar="ID", help="id of the user")
    add("--train-id", metavar="ID", help="id of the train")
    station = "a station and its public key; once for each, in the order of the route"
    add(
        "--station", action="append", type=_station, dest="stations", metavar="ID=PEM", help=station
    )
    add_exclude(parser)
    add_paillier_key(parser)
    add("--proposal", metavar="ID", help="id of the proposal")
    image = "name of the master image, as stations can pull it: REGISTRY/NAME:VERSION"
    add("--master-image", metavar="IMAGE", help=image)
    add_command(parser)


@_interruptible
def create(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Sign a train, into a folder."""
    from entrypoint.author.create import create

    complete(options, report)
    create(_request(options), options.output, report)
    return 0


def add_build_options(parser: ArgumentParser) -> None:
    """Add the options of `build`."""
    text = "name of the image without a tag, as stations can pull it: REGISTRY/NAME"
    parser.add_argument("--repository", metavar="NAME", help=text)
    _add_request(parser)


@_interruptible
def build(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Sign a train and build its image."""
    from entrypoint.author.build import build

    complete(options, report)
    request = _request(options, "repository", "master_image")
    need_command(options)
    build(request, options.repository, report)
    return 0


def _request(options: Namespace, *needed: str) -> "Request":
    """Return the request for a signed train; raises UsageError if an option is missing."""
    from entrypoint.author.create import Request

    need(options, *needed, "user_key", "user", "train_id", "stations")
    return Request(
        train=options.train,
        exclude=options.exclude,
        generation=options.generation,
        user_key=options.user_key,
        password_file=options.password_file,
        builder_key=options.builder_key,
        builder_password_file=options.builder_password_file,
        user=options.user,
        train_id=options.train_id,
        stations=options.stations,
        proposal=options.proposal or "",
        master_image=options.master_image or "",
        command=options.command,
        workdir=options.workdir,
        paillier_key=options.paillier_key,
    )


def add_simulate_options(parser: ArgumentParser) -> None:
    """Add the options of `simulate`."""
    add = parser.add_argument
    add_train(parser)
    data = "holds one folder of data for each station, named by the station's id"
    add("--data", type=Path, metavar="DIR", help=data)
    add_exclude(parser)
    add_paillier_key(parser)
    route = f"default: the stations of {PROJECT_FILE}, or else every folder of data, sorted"
    add("--route", type=_ids, metavar="ID,ID,…", help=route)
    add("--keys", type=Path, metavar="DIR", help="holds ID.private.pem of stations that have one")
    add("--output", type=Path, metavar="DIR", help="new folder for the decrypted final results")
    add("--keep", type=Path, metavar="DIR", help="new folder in which all stations' folders stay")
    image = (
        f"make every stop a container of this master image; by default that of {PROJECT_FILE}. "
        "Options of docker create may stand before COMMAND: -- --memory 4g -- COMMAND"
    )
    add("--image", nargs="?", const="", metavar="IMAGE", help=image)
    add("-v", "--verbose", action="store_true", help="show the train's output as it comes")
    add_generation(parser)
    add_command(parser)
    parser.set_defaults(master_image=None, stations=None)


@_interruptible
def simulate(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Send a train through a whole route."""
    from entrypoint.author.plan import Plan
    from entrypoint.author.simulate import simulate

    engine_options, options.command = split_options(options.command)
    complete(options, report)
    need(options, "data")
    if options.image == "":
        options.image = options.master_image
        need(options, "image")
    if engine_options and not options.image:
        raise UsageError(
            "engine-options-without-image",
            f"{engine_options[0]} is an option of docker create, which needs --image",
            hint="add --image IMAGE, or leave out what stands between -- and the train's command",
        )
    need_command(options)
    route = options.route
    if route is None and options.stations is not None:
        route = [station for station, _ in options.stations]
    plan = Plan(
        train=options.train,
        exclude=options.exclude,
        generation=options.generation,
        command=options.command,
        workdir=options.workdir,
        data=options.data,
        route=route,
        keys=options.keys,
        image=options.image,
        engine_options=engine_options,
        paillier_key=options.paillier_key,
        output=options.output,
        keep=options.keep,
        verbose=options.verbose,
    )
    return simulate(plan, None if options.image else _isolation(), report)


def split_options(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options of `docker create` that an author gives behind `--`, and the command.

    Options are there if the first word begins with a dash; another `--` ends them.
    """
    if not words or not words[0].startswith("-"):
        return [], [*words]
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end]], [*words[end + 1 :]]


def _isolation() -> "Namespaces | None":
    if sys.platform != "linux":
        return None
    from entrypoint.linux.namespaces import available

    return available()


def add_decrypt_results_options(parser: ArgumentParser) -> None:
    """Add the options of `decrypt-results`."""
    add = parser.add_argument
    source = "an export, an image as docker save writes it, or the folder of a train"
    add("source", type=Path, metavar="SOURCE", help=source)
    add("--key", required=True, type=Path, metavar="PEM", help="the user's private key")
    add("--password-file", type=Path, metavar="FILE", help="holds the password of that key")
    add("--station", metavar="ID", help="the key is this station's, not the user's")
    paillier = "the user's Paillier private key: decrypts numbers in *.he.json too"
    add("--paillier-key", type=Path, metavar="FILE", help=paillier)
    add("--output", required=True, type=Path, metavar="DIR", help="new folder for the results")


@_interruptible
def decrypt_results(options: Namespace, _environment: Mapping[str, str], report: Report) -> int:
    """Verify and decrypt a train's results."""
    from entrypoint.author.decrypt_results import decrypt_results

    decrypt_results(
        options.source,
        options.output,
        key=options.key,
        password_file=options.password_file,
        station=options.station,
        paillier_key=options.paillier_key,
        report=report,
    )
    return 0


def _station(text: str) -> tuple[str, Path]:
    station, equals, path = text.partition("=")
    if not (station and equals and path):
        raise ArgumentTypeError(f"{text} is not ID=PEM")
    return station, Path(path)


def _ids(text: str) -> list[str]:
    ids = text.split(",")
    if "" in ids:
        raise ArgumentTypeError(f"there is an empty id in {text}")
    return ids
