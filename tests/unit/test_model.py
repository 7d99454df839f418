"""Records: what they name and nothing else, set once, and not printed."""

from typing import Any

import pytest

from entrypoint.model import Record


class Secret(Record):
    name: str
    key: bytes


def test_a_record_has_what_it_names() -> None:
    secret = Secret(name="a", key=b"b")
    assert (secret.name, secret.key) == ("a", b"b")


@pytest.mark.parametrize("values", [{"name": "a"}, {"name": "a", "key": b"b", "more": 1}, {}])
def test_fewer_values_or_others_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Secret has name, key"):
        Secret(**values)


def test_a_value_is_set_once() -> None:
    secret = Secret(name="a", key=b"b")
    with pytest.raises(AttributeError, match="key is set once"):
        secret.key = b"c"  # type: ignore[misc]
    assert secret.key == b"b"


def test_no_value_is_printed() -> None:
    assert "very secret" not in repr(Secret(name="a", key=b"very secret"))
