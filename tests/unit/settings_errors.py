"""Errors of the station's settings."""

from collections.abc import Callable

import pytest

from entrypoint.errors import SettingsError


def settings_error(code: str, action: Callable[[], object]) -> SettingsError:
    """Return the error, with this code and a hint, that an action raises."""
    with pytest.raises(SettingsError) as caught:
        action()
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value
