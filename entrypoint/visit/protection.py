"""Chooses the layers of protection between a train and the station's key (docs/security.md)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from entrypoint.errors import SystemFailure
from entrypoint.linux.network import network
from entrypoint.process import landlock, seccomp
from entrypoint.process.credentials import Credentials
from entrypoint.process.sandbox import Sandbox
from entrypoint.visit.scratch import Scratch
from entrypoint.visit.session import Session
from entrypoint.visit.train_access import access_rules
from entrypoint.visit.train_reach import needs_dac_override, with_dac_override


def may_override() -> bool:
    """Return whether a train may keep DAC_OVERRIDE: only Landlock and seccomp hold it back."""
    return landlock.abi() > 0 and seccomp.is_available()


@contextmanager
def protected(
    session: Session, credentials: Credentials, command: Sequence[str], scratch: Scratch
) -> Iterator[Sandbox]:
    """Yield the sandbox of the train's process.

    Args:
        session: of the visit.
        credentials: of the train.
        command: of the train.
        scratch: the folder of its run.

    Raises:
        SystemFailure: a layer of protection that the kernel has cannot be made.
    """
    if may_override() and (path := needs_dac_override(session, credentials, command)):
        lenient, report = session.settings.allow_unprotected_key, session.report
        log = report.info if lenient else report.warning
        log(
            f"the train keeps the capability DAC_OVERRIDE, since uid {credentials.uid} may not use "
            f"{path}"
        )
        credentials = with_dac_override(credentials) or credentials
    ruleset = _ruleset(session, scratch) if uses_landlock(credentials) else None
    try:
        yield Sandbox(
            credentials=credentials,
            ruleset=ruleset,
            filter=seccomp.program(os.getpid()) if seccomp.is_available() else None,
            folder=scratch.cwd,
            gets_streams=session.settings.in_container,
        )
    finally:
        if ruleset is not None:
            os.close(ruleset)


def uses_landlock(credentials: Credentials) -> bool:
    """Return whether Landlock hides the key from a train: it is there and is needed.

    Its first version forbids to move files to another folder, which trains do, so that one counts
    only where the user alone does not protect the key.
    """
    another_user = credentials.uid != os.getuid() and not credentials.keeps
    return landlock.abi() > (1 if another_user else 0)


def report_protection(session: Session) -> None:
    """Log the layers of protection, and what an operator can do about the network."""
    session.report.info(f"layers of protection: {', '.join(session.surroundings.layers) or 'none'}")
    if session.settings.in_container and network() == "open":
        session.report.warning(
            "the train can reach a network: start the container with --network none, unless this "
            "train needs one"
        )
    if "landlock" in session.surroundings.layers and landlock.abi() == 1:
        session.report.warning(
            "the Landlock of this old kernel forbids the train to move files to another folder"
        )


def _ruleset(session: Session, scratch: Scratch) -> int:
    settings = session.settings
    key_hidden = settings.in_container or not settings.allow_unprotected_key
    rules = access_rules(settings, scratch=scratch.path, key_hidden=key_hidden)
    try:
        return landlock.make_ruleset(rules)
    except OSError as error:
        raise SystemFailure(
            "train-not-protected",
            f"the rules that keep the key from the train cannot be made: {error.strerror}",
            hint="free memory, or raise the limit of open files, then start again",
            retry=True,
        ) from None
