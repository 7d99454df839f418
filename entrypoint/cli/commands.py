"""The table of commands: help, parser, rules for containers and dispatch read it."""

from argparse import Namespace
from collections.abc import Mapping, Sequence

from entrypoint.cli import desk_commands as desk
from entrypoint.cli import station_commands as station
from entrypoint.cli.command import Command, InContainer
from entrypoint.cli.options import help_text
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
        name="keygen",
        summary="make a pair of keys",
        audience="author",
        function=desk.keygen,
        add_options=desk.add_keygen_options,
        in_container=InContainer.WITHOUT_STATION,
    ),
    Command(
        name="create",
        summary="build and sign a train",
        audience="author",
        function=desk.create,
        add_options=desk.add_create_options,
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
    ),
]

COMMANDS = {command.name: command for command in _TABLE}
"""Every command by its name, in the order of the help."""


def find(arguments: Sequence[str]) -> Command:
    """Return the command that the arguments name, or else `run`: they are the train's command."""
    return COMMANDS.get(arguments[0] if arguments else "run", COMMANDS["run"])
