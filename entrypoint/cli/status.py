"""Facts about network, trust and protection for the status line.

Planned protections are never claimed.
"""

from collections.abc import Sequence

from entrypoint import __version__
from entrypoint.report import Fact


def surroundings(layers: Sequence[str] = ()) -> dict[str, Fact]:
    """Return the facts about network, trust and protection, and the version.

    Args:
        layers: the layers of protection around a train that has run.
    """
    from entrypoint.linux.network import network

    return {
        "network": network(),
        "trust": "none",
        "layers": ",".join(layers) or "none",
        **version(),
    }


def version() -> dict[str, Fact]:
    """Return the version of the runner."""
    return {"runner": __version__}
