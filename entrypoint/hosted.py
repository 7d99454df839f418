"""The host-driven visit: only the command runs here (docs/host-driven.md).

Stations with the published software do the protocol on the host: they open the train, run its
container without any key, and seal what it has left. Here the definition is verified and the
command runs as in every visit; nothing is decrypted, sealed or signed, and the configuration stays
as it is.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

from entrypoint.config_file import read_config
from entrypoint.crypto.digests import result_hash, sha512
from entrypoint.errors import IntegrityError, PhtError, SettingsError
from entrypoint.protocol.verify import verify_open
from entrypoint.report import Report
from entrypoint.settings import Settings
from entrypoint.steps import KeylessSteps
from entrypoint.train_config import TrainConfig, read
from entrypoint.tree import Kind, walk
from entrypoint.visit import Outcome, aboard, outcome


def is_host_driven(settings: Settings) -> bool:
    """Return whether the host does the protocol: it says so, or the opened train proves it.

    Raises:
        SettingsError: it does, and what only a visit of our own needs is set too.
    """
    identity = settings.identity()
    if settings.host_protocol is False:
        return False
    if settings.host_protocol is None and (identity or not _is_open(settings)):
        return False
    needless = [*identity, *(["PHT_EXPORT"] if settings.export else [])]
    if needless:
        raise SettingsError(
            "host-driven-contradicted",
            f"the host does the protocol, but this is set too: {', '.join(needless)}",
            hint="remove PHT_HOST_PROTOCOL for a visit that opens and seals the train here; "
            "remove the others where the host does that",
        )
    return True


def run(settings: Settings, report: Report, command: Sequence[str]) -> Outcome:
    """Run the command of a train that the host has opened and will seal.

    Args:
        settings: of the station, without its id or key.
        report: takes the log lines.
        command: of the train.
    """

    def story(steps: KeylessSteps) -> Outcome:
        report.warning("host-driven visit: here only the command runs, nothing is sealed or signed")
        config = read(read_config(settings.paths))
        train = steps.verify_open(config)
        if settings.host_protocol:
            _refuse_closed(config, settings)
        argv = steps.resolve(command, train)
        steps.check_data()
        steps.remove_unlisted(config)
        steps.state = "unsealed"
        steps.run_train(argv)
        steps.check_definition_left(config)
        report.warning("the results lie here in plaintext: the host has to seal them")
        return outcome(steps, "hosted")

    return aboard(KeylessSteps, settings, report, story)


def _is_open(settings: Settings) -> bool:
    """Return whether the train proves that a host has opened it."""
    try:
        config = read(read_config(settings.paths))
        verify_open(config, settings.paths.train)
    except (PhtError, OSError):
        return False  # then it is no train to run, and a visit says why
    if config.encrypts_definition:  # a host has decrypted it
        if config.result_hash is None:
            return not _files(settings)
        return _are_plaintext(config, settings)
    no_results = sha512(config.session_id)  # and nothing that could have been decrypted
    return config.result_hash not in (None, no_results) and _are_plaintext(config, settings)


def _refuse_closed(config: TrainConfig, settings: Settings) -> None:
    """Refuse results that are still sealed, as far as the configuration can tell.

    Version 1.0.0 puts the first configuration back for the run, which knows of no results.
    """
    if config.result_hash is not None and not _are_plaintext(config, settings):
        raise IntegrityError(
            "results-not-opened",
            "the results are not the plaintext of what the last station sealed",
            hint="PHT_HOST_PROTOCOL=1 is for trains that the host has decrypted before the run",
            by="station",
        )


def _are_plaintext(config: TrainConfig, settings: Settings) -> bool:
    digest = result_hash(_files(settings), config.session_id)
    return hmac.compare_digest(digest, config.result_hash or b"")


def _files(settings: Settings) -> list[Path]:
    results = settings.paths.results
    entries = walk(results) if results.is_dir() else iter(())
    return [results / entry.path for entry in entries if entry.kind is Kind.FILE]
