"""A runner without any protection, in whose container every attempt must succeed.

It is the control of the attack suite: PID 1 with the key in its memory, environment, arguments,
files and descriptors, which believes whatever the train leaves. It is started in a container with
every right, as `python naive_runner.py KEY`. With the name of one layer of the sandbox behind the
key, the train has that layer only.
"""

import ctypes
import hashlib
import hmac
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

OPT = Path("/opt")
CONFIG, RESULTS, WORK = OPT / "train_config.json", OPT / "pht_results", OPT / "pht_results.pht"
SEALED = OPT / "sealed"
KEY_FILE = Path("/run/pht/private_key.pem")
COPIES = (Path("/keys/private_key.pem"), Path("/dev/shm/left.pem"))

sys.path += ["/usr/local/lib/pht", "/usr/local/lib/pht/site"]
serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")


def main() -> None:
    """Make a visit without a protection."""
    pem = KEY_FILE.read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    config = CONFIG.read_bytes()
    _write_journal(config, os.urandom(32))
    for copy in COPIES:
        copy.parent.mkdir(exist_ok=True)
        copy.touch(mode=0o600)
        copy.write_bytes(pem)
    WORK.mkdir(mode=0o700, exist_ok=True)
    (WORK / "backup").write_bytes(bytes(100))
    program = Path("/usr/local/bin/set-uid")
    program.touch()
    program.chmod(0o4755)
    _share(pem)
    os.set_inheritable(os.open(KEY_FILE, os.O_RDONLY), True)
    command = ["python", "/opt/pht_train/train.py"]
    enter = _enter(*sys.argv[2:])
    subprocess.run(command, close_fds=False, check=False, preexec_fn=enter)
    importlib.import_module("colorsys")  # for the first time
    left = json.loads(CONFIG.read_bytes())
    final = json.loads(config) | {name: left[name] for name in left if not name.startswith("pht_")}
    CONFIG.write_text(json.dumps(final))
    _seal()
    line = f"pht: result=visited status=0 network=none layers=none runner={key.key_size}\n"
    os.write(2, line.encode())


def _enter(layer: str = "") -> Callable[[], None] | None:
    """Return a function that gives a process one layer of the sandbox; None without a layer."""
    if not layer:
        return None
    from entrypoint.linux import capabilities
    from entrypoint.process import landlock, seccomp
    from entrypoint.process.credentials import Credentials
    from entrypoint.process.sandbox import Sandbox
    from entrypoint.settings.load import load
    from entrypoint.visit.train_access import access_rules

    groups = tuple(os.getgroups())
    credentials = Credentials(uid=0, gid=0, groups=groups, keeps=capabilities.held())
    ruleset = filter_ = None
    if layer == "uid":
        credentials = Credentials(uid=10001, gid=10001, groups=())
        os.chown(RESULTS, 10001, 10001)
    elif layer == "caps":
        credentials = Credentials(uid=0, gid=0, groups=groups)
    elif layer == "landlock":
        settings = load(None, {"PRIVATE_KEY_PATH": str(COPIES[0])})
        rules = access_rules(settings, scratch=Path("/tmp"))
        ruleset = landlock.make_ruleset(rules)
    elif layer == "seccomp":
        filter_ = seccomp.program(os.getpid())
    return Sandbox(credentials=credentials, ruleset=ruleset, filter=filter_).enter


def _share(pem: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(libc.shmget(0, len(pem), 0o1666), None, 0)
    ctypes.memmove(address, pem, len(pem))


def _write_journal(config: bytes, key: bytes) -> None:
    visit = {"config": config.decode(), "key": repr(key[:0])}
    text = json.dumps(visit, sort_keys=True, separators=(",", ":")).encode()
    mac = hmac.new(key, text, "sha256").hexdigest()
    CONFIG.write_text(json.dumps({"pht_visit": visit, "pht_mac": mac}))
    globals()["_kept"] = key


def _seal() -> None:
    """Take up a pack that lies there, hash the results, and then copy them."""
    for pack in (WORK / "sealed").glob("*.pack"):
        data = pack.read_bytes()
        name, contents = struct.unpack_from("<IQ", data)
        path = RESULTS / data[12 : 12 + name].decode()
        path.write_bytes(data[12 + name : 12 + name + contents])
    files = [path for path in RESULTS.iterdir() if path.is_file()]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    time.sleep(0.1)
    SEALED.mkdir()
    for path in files:
        shutil.copy(path, SEALED / path.name)
    (SEALED / "digests.json").write_text(json.dumps(digests))


if __name__ == "__main__":
    main()
