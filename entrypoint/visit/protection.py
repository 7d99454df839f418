"""Chooses the layers of protection between a train and the station's key (docs/security.md)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
    """Yield the sandbox of the train's process, and log what it protects.

    Args:
        session: of the visit.
        credentials: of the train.
        command: of the train.
        scratch: the folder of its run.

    Raises:
        OSError: a layer that the kernel has cannot be made.
    """
    if may_override() and (path := needs_dac_override(session, credentials, command)):
        session.report.warning(
            f"the train keeps the capability DAC_OVERRIDE, since only root may use {path}"
        )
        credentials = with_dac_override(credentials) or credentials
    ruleset = None
    if uses_landlock(credentials):
        settings = session.settings
        key_hidden = settings.in_container or not settings.allow_unprotected_key
        rules = access_rules(settings, scratch=scratch.path, key_hidden=key_hidden)
        ruleset = landlock.make_ruleset(rules)
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
