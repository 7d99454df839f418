"""Errors that several modules of the settings raise."""

from collections.abc import Sequence

from entrypoint.errors import SettingsError


def set_twice(sources: Sequence[str]) -> SettingsError:
    """Return the error for one setting with several sources, given by name."""
    return SettingsError(
        "setting-twice",
        f"one setting has several sources: {', '.join(sources)}",
        hint="keep one of them",
    )


def not_built(name: str) -> SettingsError:
    """Return the error for a planned setting."""
    return SettingsError(
        "setting-not-built",
        f"{name} is planned but does nothing in this version, so it is refused",
        hint="remove it; do not rely on the protection it stands for",
    )
