"""The trees that a visit opens: those that travel encrypted."""

from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.train_config import TrainConfig


def works_of(disk: VisitState, config: TrainConfig) -> list[WorkFolder]:
    """Return the work folders of the trees that travel encrypted."""
    definition = definition_of(disk, config)
    return [disk.results, *([definition] if definition else [])]


def definition_of(disk: VisitState, config: TrainConfig) -> WorkFolder | None:
    """Return the work folder of the immutable files, None if they travel in plaintext."""
    return disk.train if config.encrypts_definition else None


def leave_out_of(disk: VisitState, config: TrainConfig) -> str:
    """Return the name that walks of the immutable files leave out, or nothing."""
    definition = definition_of(disk, config)
    return definition.leave_out if definition else ""
