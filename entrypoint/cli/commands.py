"""The table of commands: help, parser, rules for containers and dispatch read it."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from entrypoint.cli import desk_commands as desk
from entrypoint.cli import image_commands as images
from entrypoint.cli import station_commands as station
from entrypoint.cli.command import Command, InContainer
from entrypoint.cli.options import help_text, usage_error
from entrypoint.errors import UsageError
from entrypoint.report import Report, show


def _help(_options: Namespace, _environment: Mapping[str, str], _report: Report) -> int:
    show(help_text(COMMANDS))
    return 0


_TABLE = [
    Command(
        name="run",
        summary="make a whole visit: verify, decrypt, run the train's command, seal",
        audience="station",
        function=station.run,
        add_options=station.add_run_options,
        in_container=InContainer.ALLOWED,
        keeps_stop_signals=True,
    ),
    Command(
        name="pre-run",
        summary="verify and decrypt, for a train whose command is run by hand",
        audience="station",
        function=station.pre_run,
        in_container=InContainer.NEVER,
    ),
    Command(
        name="post-run",
        summary="seal the train that pre-run has opened",
        audience="station",
        function=station.post_run,
        in_container=InContainer.NEVER,
    ),
    Command(
        name="undo",
        summary="restore the encrypted state after pre-run, or when results wait for disk space",
        audience="station",
        function=station.undo,
        in_container=InContainer.NEVER,
    ),
    Command(
        name="check",
        summary="verify everything and write nothing",
        audience="station",
        function=station.check,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="doctor",
        summary="examine key, settings, data, disk and protection of a station, without any train",
        audience="station",
        function=station.doctor,
        add_options=station.add_doctor_options,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="inspect",
        summary="show the route and the stops of a train",
        audience="station",
        function=station.inspect,
        add_options=station.add_inspect_options,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="query",
        summary="print the verified query.json, which describes the data that the train needs",
        audience="station",
        function=station.query,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="export",
        summary="write the sealed train to a tar",
        audience="station",
        function=station.export,
        add_options=station.add_export_options,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="hand-over",
        summary="put a sealed train into the image that it leaves on",
        audience="station",
        function=station.hand_over,
        add_options=station.add_hand_over_options,
        in_container=InContainer.ALLOWED,
    ),
    Command(
        name="ledger",
        summary="list the trains that have boarded at this station, or forget some",
        audience="station",
        function=station.ledger,
        add_options=station.add_ledger_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="validate-image",
        summary="check that an image is a known master image with a train in it, and nothing else",
        audience="station",
        function=images.validate_image,
        add_options=images.add_validate_image_options,
        in_container=InContainer.WITHOUT_STATION,
        needs_cryptography=False,
    ),
    Command(
        name="describe-image",
        summary="print the entries of master images for masters.json",
        audience="station",
        function=images.describe_image,
        add_options=images.add_describe_image_options,
        in_container=InContainer.WITHOUT_STATION,
        needs_cryptography=False,
    ),
    Command(
        name="new",
        summary="make a folder with a small train that runs as it is, to start your own from",
        audience="author",
        function=desk.new,
        add_options=desk.add_new_options,
        in_container=InContainer.WITHOUT_STATION,
        needs_cryptography=False,
    ),
    Command(
        name="keygen",
        summary="make a pair of keys",
        audience="author",
        function=desk.keygen,
        add_options=desk.add_keygen_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="create",
        summary="sign a train, into a folder",
        audience="author",
        function=desk.create,
        add_options=desk.add_create_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="build",
        summary="sign a train and build its image",
        audience="author",
        function=desk.build,
        add_options=desk.add_build_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="simulate",
        summary="send a train through a whole route on this machine",
        audience="author",
        function=desk.simulate,
        add_options=desk.add_simulate_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="decrypt-results",
        summary="verify and decrypt a train's results",
        audience="user",
        function=desk.decrypt_results,
        add_options=desk.add_decrypt_results_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="help",
        summary="show this text",
        audience="everybody",
        function=_help,
        in_container=InContainer.ALLOWED,
        needs_cryptography=False,
    ),
]

COMMANDS = {command.name: command for command in _TABLE}
"""Every command by its name, in the order of the help."""

_SIMILARITY = 0.75
"""Similarity from which a word is taken for a misspelt command, from 0 to 1."""


def resolve(arguments: Sequence[str], *, at_desk: bool) -> tuple[Command, list[str]]:
    """Return the command that the arguments name, and the arguments with its name in front.

    Arguments that begin with no command are the train's command for `run`.

    Raises:
        UsageError: there is none, or at a desk it seems to be misspelt.
    """
    if not arguments:
        raise UsageError(
            "no-command",
            "there is no command to run",
            hint='build an image FROM this one with CMD ["python", "/opt/pht_train/FILE"], or try '
            "a train first with pht simulate; pht help lists the commands",
            by="author",
        )
    first = arguments[0]
    if first in COMMANDS:
        return COMMANDS[first], list(arguments)
    if first in ("-h", "--help"):
        return COMMANDS["help"], ["help"]
    if first == "--version":
        return COMMANDS["help"], ["--version"]
    if first.startswith("-"):
        raise usage_error(f"{first} is an option, but the command comes first")
    if at_desk:
        _refuse_misspelt(first)
    return COMMANDS["run"], ["run", "--", *arguments]


def _refuse_misspelt(word: str) -> None:
    for name in get_close_matches(word, COMMANDS, n=1, cutoff=_SIMILARITY):
        raise UsageError(
            "usage",
            f"{word} is no command",
            hint=f"did you mean {name}? the train's command of a visit follows pht run --",
        )
