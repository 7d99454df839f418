"""The network that a status line names, with real devices in a network namespace of its own."""

from pathlib import Path

import pytest

from tests.mount_namespace import run_python

TUN = Path("/dev/net/tun")
WITH_A_DEVICE = """
import ctypes, fcntl, os, socket, struct, subprocess
from pathlib import Path
from entrypoint.linux.network import network_of

def network():
    return network_of(Path("/proc/self/net/dev").read_bytes())

assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
said = [network()]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"test0", 1))  # TUNSETIFF, IFF_TUN
said.append(network())
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", b"test0", 1))  # SIOCSIFFLAGS, IFF_UP
said.append(network())
print(*said)
"""


def test_a_device_is_a_network_once_it_is_switched_on(tmp_path: Path) -> None:
    if not TUN.exists():
        pytest.skip(f"needs {TUN}")
    assert run_python(WITH_A_DEVICE, tmp_path) == "none none open\n"
