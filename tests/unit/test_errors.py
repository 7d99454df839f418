"""The tree of errors: what scripts and the status line rely on."""

from pathlib import Path

import pytest

from entrypoint import errors
from entrypoint.errors import PhtError, storage_error, unexpected
from entrypoint.train_config import ResultsUnverified

REFUSALS = {
    errors.UsageError: (64, errors.OPERATOR),
    errors.MalformedTrain: (65, "author"),
    errors.MissingInput: (66, errors.OPERATOR),
    errors.NoQuery: (69, "user"),
    PhtError: (70, "runner"),
    errors.SystemFailure: (71, errors.OPERATOR),
    errors.StorageError: (74, errors.OPERATOR),
    errors.StoppedWhileSealing: (75, errors.OPERATOR),
    errors.RouteError: (76, errors.OPERATOR),
    errors.IntegrityError: (77, "user"),
    errors.SettingsError: (78, errors.OPERATOR),
    errors.AlreadyVisited: (79, errors.OPERATOR),
}
"""The documented exit status of each class, and who has to act unless an error says otherwise."""


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_class_decides_the_exit_status_and_who_has_to_act(refusal: type[PhtError]) -> None:
    error = refusal("some-code", "something is wrong", hint="mend it")
    assert (error.status, error.by) == REFUSALS[refusal]


def test_every_class_has_a_status_of_its_own() -> None:
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, PhtError)
    }
    assert defined == set(REFUSALS)
    assert len({status for status, _ in REFUSALS.values()}) == len(REFUSALS)


def test_an_error_carries_what_is_reported() -> None:
    error = errors.MalformedTrain(
        "config-invalid", "the config is not valid", hint="ask", problems=["a", "b"], by="user"
    )
    assert str(error) == error.message == "the config is not valid"
    assert (error.code, error.hint, error.by) == ("config-invalid", "ask", "user")
    assert error.problems == ("a", "b")
    assert not error.retry


def test_another_hint_makes_another_error() -> None:
    error = errors.StorageError("full", "no space", hint="make room", problems=["a"], retry=True)
    other = error.with_hint("remove it", by="author")
    assert (error.hint, error.by, error.retry) == ("make room", errors.OPERATOR, True)
    assert type(other) is errors.StorageError
    assert (other.code, other.message, other.problems) == ("full", "no space", ("a",))
    assert (other.hint, other.by, other.retry) == ("remove it", "author", False)


def test_another_hint_keeps_what_a_subclass_adds() -> None:
    other = ResultsUnverified("pht_results", ["model.bin"]).with_hint("remove the mount")
    assert (other.hint, other.code, other.status) == ("remove the mount", "results-unverified", 77)
    assert (other.folder, other.undecryptable) == ("pht_results", ("model.bin",))
    assert str(other) == other.message
    assert not other.files_differ


def test_starting_again_can_be_advised() -> None:
    assert errors.StorageError("disk-full", "no space", hint="make room", retry=True).retry


def test_a_failed_system_call_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "gone").read_bytes()
    error = storage_error(caught.value)
    assert (error.status, error.code, error.retry) == (74, "storage-failed", True)
    assert error.message == f"no such file or directory: {tmp_path / 'gone'}"


def test_a_failed_system_call_without_a_file_is_still_told() -> None:
    assert storage_error(OSError(28, "No space left on device")).message == (
        "no space left on device"
    )
    assert storage_error(OSError()).message == "reading or writing failed"


def test_too_little_memory_is_no_bug() -> None:
    with pytest.raises(MemoryError) as caught:
        bytes(2**62)
    error = unexpected(caught.value)
    assert (error.status, error.code, error.retry) == (71, "out-of-memory", True)
