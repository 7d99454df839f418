"""The capabilities of this process, as the kernel shows them too."""

import os
from pathlib import Path

import pytest

from entrypoint.linux import capabilities
from entrypoint.linux.capabilities import Capability, mask


def shown(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(f"{name}:"))


def test_the_sets_are_those_of_the_kernel() -> None:
    sets = capabilities.read_sets()
    assert sets == (shown("CapEff"), shown("CapPrm"), shown("CapInh"))
    assert capabilities.read_bounding() == shown("CapBnd")


def test_held_are_the_known_ones_of_the_effective_set() -> None:
    assert mask(capabilities.held()) == shown("CapEff") & mask(Capability)


def test_a_mask_has_a_bit_for_each() -> None:
    assert mask([Capability.CHOWN, Capability.SETPCAP]) == 0x101


def test_capabilities_beyond_the_first_word_are_dropped_too() -> None:
    """In a child, since nothing brings them back."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to have capabilities")
    pid = os.fork()
    if pid == 0:
        capabilities.set_all(mask([Capability.KILL]))
        os._exit(0 if shown("CapPrm") == mask([Capability.KILL]) else 1)
    assert os.waitpid(pid, 0)[1] == 0
