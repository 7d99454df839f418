"""Facts about the train, network, trust and protection for the status line.

Planned protections are never claimed.
"""

from entrypoint import __version__
from entrypoint.report import Fact, Surroundings

_NOTHING_YET = Surroundings()


def surroundings(known: Surroundings = _NOTHING_YET) -> dict[str, Fact]:
    """Return the facts about the train, network, trust and protection, and the version.

    Args:
        known: what a visit has found out about its train and protection.
    """
    from entrypoint.linux.network import network

    train = {"train": known.train, "session": known.session}
    return {
        **{name: value for name, value in train.items() if value is not None},
        "network": network(),
        "trust": known.trust,
        "replay": known.replay,
        "layers": ",".join(known.layers) or "none",
        **version(),
    }


def version() -> dict[str, Fact]:
    """Return the version of the runner."""
    return {"runner": __version__}
