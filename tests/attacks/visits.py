"""Makes visits with the hostile train, and resolves what can only be seen afterwards."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests import reference
from tests.attacks.hostile import memory, next_start, signed
from tests.attacks.hostile.attempts import Outcome
from tests.containers.engine import Engine, regular_files
from tests.containers.visitor import Container
from tests.reference_rsa import Refused
from tests.station import Done, new_train, opened

SCRIPT = "train.py"
HOSTILE = Path(__file__).with_name("hostile")
STATION = reference.STATIONS[0]

_MAIN = """\
import sys
sys.dont_write_bytecode = True
from hostile.train import main
main()
"""


@dataclass(frozen=True)
class Ending:
    """What a visit has left.

    Attributes:
        done: how its container ended.
        config: the final `train_config.json`, as text.
        results: in plaintext.
        is_consistent: whether the results are those that were hashed.
        script: the signed file that was run, as it is afterwards.
    """

    done: Done
    config: str
    results: Mapping[str, bytes]
    is_consistent: bool
    script: bytes


@dataclass(frozen=True)
class Result:
    """The final outcome of one attempt."""

    name: str
    outcome: Outcome
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome} ({self.detail})"


def hostile_train(folder: Path) -> Path:
    """Build the train before its first stop and return `folder/opt`."""
    public = load_pem_public_key(reference.vector_key(STATION))
    assert isinstance(public, RSAPublicKey)
    modulus = public.public_numbers().n
    modules = sorted(HOSTILE.glob("*.py"))
    files = {f"hostile/{path.name}": path.read_bytes() for path in modules}
    files["modulus"] = str(modulus).encode()
    return new_train(folder, _MAIN, files, proposal_id=memory.PROPOSAL)


def end_of_visit(container: Container, folder: Path) -> Ending:
    """Start the container of a real visit, follow it to its end and look at what it has left."""
    done = container.run()
    opt = container.take(folder)
    config = (opt / "train_config.json").read_text()
    script = (opt / "pht_train" / SCRIPT).read_bytes()
    try:
        return Ending(done, config, opened(opt), True, script)
    except (FileNotFoundError, KeyError, TypeError, ValueError, Refused):
        return Ending(done, config, {}, False, script)


def end_of_naive_visit(container: Container) -> Ending:
    """Like `end_of_visit`, for the naive runner, whose results are plaintext."""
    done = container.run()
    copied = container.engine.copy_out(container.id, "/opt/pht_train")
    script = regular_files(copied)[f"pht_train/{SCRIPT}"]
    if done.status != 0:
        return Ending(done, "", {}, False, script)
    files = regular_files(container.engine.copy_out(container.id, "/opt/sealed"))
    sealed = {path.partition("/")[2]: contents for path, contents in files.items()}
    digests = json.loads(sealed.pop("digests.json"))
    found = {name: hashlib.sha256(contents).hexdigest() for name, contents in sealed.items()}
    config = regular_files(container.engine.copy_out(container.id, "/opt/train_config.json"))
    return Ending(done, config["train_config.json"].decode(), sealed, found == digests, script)


def results_of(ending: Ending) -> list[Result]:
    """Return the outcome of every attempt that the train has made, in order."""
    found = []
    for line in ending.done.stdout.decode(errors="replace").splitlines():
        if line.startswith('{"attempt"'):
            fields = json.loads(line)
            result = Result(fields["attempt"], Outcome(fields["outcome"]), fields["detail"])
            found.append(_resolved(result, ending))
    return found


def _resolved(result: Result, ending: Ending) -> Result:
    if result.outcome != Outcome.PENDING:
        return result
    succeeded = _SUCCEEDED[result.name](ending)
    return replace(result, outcome=Outcome.SUCCEEDED if succeeded else Outcome.BLOCKED)


def _last_line_is_hidden(ending: Ending) -> bool:
    last = ending.done.stderr.rstrip("\n").rpartition("\n")[2]
    return not re.fullmatch(r"pht:( [a-z]+=(\"[^\"]*\"|[^\s:]+))* runner=\S+", last)


def _pack_was_taken(ending: Ending) -> bool:
    return ending.results.get(signed.VICTIM, signed.VICTIM_TEXT) != signed.VICTIM_TEXT


_SUCCEEDED: Mapping[str, Callable[[Ending], bool]] = {
    "memory-proposal-id": lambda ending: memory.CHANGED_PROPOSAL in ending.config,
    "config-replaced": lambda ending: signed.REPLACED in ending.config,
    "pack-planted": _pack_was_taken,
    "processes-left": lambda ending: ending.done.status == 0 and not ending.is_consistent,
    "status-forged": _last_line_is_hidden,
    "modules-changed": lambda ending: next_start.MARK in ending.done.stderr,
}
"""How the host sees that a pending attempt has succeeded."""


def owned_by(engine: Engine, image: str, opt: Path, user: int) -> str:
    """Commit an image with a train that belongs, with /opt, to a user; return its id."""
    builder = Container(engine, engine.create(image))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def own(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.uid = member.gid = user
            return member

        archive.add(opt, "opt", filter=own)
    engine.copy_in(builder.id, "/", packed.getvalue())
    return engine.must("commit", builder.id).decode().strip()
