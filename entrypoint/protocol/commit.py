"""Step 12: the new state becomes the only one."""

from entrypoint.stages import SealedTrain
from entrypoint.state import VisitState


def commit(state: VisitState, sealed: SealedTrain) -> None:
    """Write the user's envelope and the new configuration, the configuration last."""
    state.finish(sealed.document, sealed.user_envelope)
