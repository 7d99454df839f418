"""The steps of a visit (docs/station.md), over the API of a container engine.

Airflow tries again after every exception but AirflowFailException, which is for answers that stay.
"""

import hashlib
import io
import json
import logging
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import docker
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from docker.errors import NotFound
from docker.types import Mount

from status_line import Next, decide, loses_nothing, read

STATION = os.environ.get("STATION_FOLDER", "/etc/pht")
LEDGER = os.environ.get("STATION_LEDGER", "/var/lib/pht")

LIMITS: dict[str, Any] = {"mem_limit": "4g"}
"""More options of a visit, in the words of `create_host_config`, such as `device_requests`."""

HOST = {
    "read_only": True,
    "tmpfs": {"/tmp": "exec"},
    "network_mode": "none",
    "cap_drop": ["ALL"],
    "cap_add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETPCAP", "SETUID"],
    "security_opt": ["no-new-privileges"],
    "pids_limit": 1000,
}
CONFIG = {
    "volumes": ["/opt"],
    "healthcheck": {"test": ["NONE"]},
    "stop_signal": "SIGTERM",
    "stop_timeout": 60,
}
LOADS_CODE = (
    *("LD_PRELOAD", "LD_AUDIT", "GCONV_PATH"),
    *("PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "OPENSSL_CONF"),
)
"""Variables by which an image would run code before the program; they are emptied."""

PATHS = ("pht_train", "pht_results", "train_config.json", "user_sym_key.key")
"""The train, below /opt."""

Images = dict[str, str]
"""The ids of `base` and `latest`. A tag can move; an id is what was validated."""

_log = logging.getLogger(__name__)


def pull(repository: str) -> Images:
    """Pull both images of a train."""
    client = _connect()
    for tag in ("base", "latest"):
        # The pull of `client.images` passes over errors, and returns the image of the last time.
        _follow(client.api.pull(repository, tag=tag, stream=True, decode=True))
    return {tag: client.images.get(f"{repository}:{tag}").id for tag in ("base", "latest")}


def validate(images: Images) -> None:
    """Compare both images with the station's master images, before anything of them starts."""
    for tag, image in images.items():
        verdict = _validate(_connect().images.get(image).save())
        if image not in verdict.get("ids", []):
            raise AirflowFailException(f"{tag} is not accepted; nothing of it was started")


def query(repository: str, image: str) -> str | None:
    """Return the verified query of the train, or None if it has none."""
    client, name = _connect(), f"{_name(repository)}-query"
    _discard(client, name)
    container = _create(client, image, name, ["query"])
    try:
        facts = _run(container)
        _refuse(facts, f"no query of {repository}")
        if facts.get("code") == "no-query":
            return None
        return str(container.logs(stderr=False).decode())
    finally:
        _discard(client, name)


def visit(repository: str, image: str, data: str) -> str:
    """Make the visit, or go on with one that was interrupted, and return its container's id.

    Args:
        repository: of the train; the container is named after it, so a retry finds it.
        image: the id of the train's image.
        data: the file or folder that the train computes on.
    """
    client, name = _connect(), _name(repository)
    try:
        container = client.containers.get(name)
    except NotFound:
        container = _create(client, image, name, **_boarding(data), **LIMITS)
    is_new = container.status == "created"
    if container.attrs["Image"] != image:
        raise AirflowFailException(
            f"{name} visits another train. Pull that one again to finish its visit, or give it up "
            f"with docker rm --volumes {name}"
        )
    facts = _run(container)
    if is_new and facts.get("code") == "already-visited":
        _discard(client, name)
        raise AirflowSkipException(f"{repository} has been here and was handed over")
    if decide(facts) is Next.FAIL and loses_nothing(facts, is_new=is_new):
        _discard(client, name)
    _refuse(facts, f"the visit of {repository} in {name}")
    if decide(facts) is not Next.HAND_OVER:
        raise AirflowFailException(f"{name} holds no sealed train: {facts['result']}")
    if _is_unfinished(container):
        raise RuntimeError(f"{name} holds no sealed train yet")
    return str(container.id)


def stop(repository: str) -> None:
    """Stop the visit as the engine does: SIGTERM, and SIGKILL after its stop timeout."""
    with suppress(NotFound):
        _connect().containers.get(_name(repository)).stop()


def hand_over(repository: str, base: str, visited: str) -> str:
    """Put the sealed train onto the image as it was built, and return the new image's id."""
    client, name = _connect(), f"{_name(repository)}-next"
    container = client.containers.get(visited)
    config = client.images.get(base).attrs["Config"]
    _discard(client, name)
    try:
        following = _make_room(client, base, name)
        for path in PATHS:
            stream, _ = container.get_archive(f"/opt/{path}")
            following.put_archive("/opt", stream)
            if _digest(container, path) != _digest(following, path):
                raise RuntimeError(f"{path} did not get on board as it is in {container.name}")
        changes = [
            f"ENTRYPOINT {json.dumps(config['Entrypoint'])}",
            f"CMD {json.dumps(config['Cmd'])}",
            *([f"USER {config['User']}"] if config.get("User") else []),
        ]
        return str(following.commit(repository, "latest", changes=changes).id)
    finally:
        _discard(client, name)


def push(repository: str, image: str, visited: str) -> None:
    """Push the image that was handed over, and only then remove the container of the visit."""
    client = _connect()
    client.images.get(image).tag(repository, "latest")
    _follow(client.api.push(repository, tag="latest", stream=True, decode=True))
    _discard(client, visited)


def _connect() -> docker.DockerClient:
    return docker.from_env(timeout=None)  # Airflow's own limit ends a task that waits for ever


def _name(repository: str) -> str:
    """Return the name of a visit's container; the digest tells a/b from a-b."""
    digest = hashlib.sha256(repository.encode()).hexdigest()[:8]
    return f"pht-visit-{re.sub('[^A-Za-z0-9_.-]', '-', repository)}-{digest}"


def _follow(events: Iterable[Mapping[str, Any]]) -> None:
    """Follow a pull or push to its end, whose errors come as events."""
    for event in events:
        if "error" in event:
            raise RuntimeError(event["error"])


def _validate(archive: Iterable[bytes]) -> dict[str, Any]:
    """Return the verdict on the archive of an image if it is accepted, else nothing."""
    command = ["pht", "validate-image", "--json", "--masters", f"{STATION}/masters.json", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        with suppress(BrokenPipeError):  # it has said on stderr why it reads no further
            for piece in archive:
                program.stdin.write(piece)
            program.stdin.close()
        said = program.stdout.read()
    _log.info("%s", said.decode(errors="replace"))
    verdict: dict[str, Any] = json.loads(said) if program.returncode == 0 else {}
    return verdict


def _boarding(data: str) -> dict[str, Any]:
    """Return the mounts and variables for the data and the ledger."""
    inside = "/opt/train_data"
    if not os.path.isdir(data):
        inside += f"/{os.path.basename(data)}"
    return {
        "mounts": [
            Mount(inside, data, type="bind", read_only=True),
            Mount("/var/lib/pht", LEDGER, type="bind"),
        ],
        "environment": {"TRAIN_DATA_PATH": inside},
    }


def _create(
    client: docker.DockerClient,
    image: str,
    name: str,
    command: list[str] | None = None,
    *,
    mounts: Iterable[Mount] = (),
    environment: Mapping[str, str] | None = None,
    **limits: Any,
) -> Any:
    """Make a container that sees the station's key, with the options of every visit."""
    station = Mount("/run/pht", STATION, type="bind", read_only=True)
    made = client.api.create_container(
        image,
        command,
        name=name,
        environment={**dict.fromkeys(LOADS_CODE, ""), **(environment or {})},
        host_config=client.api.create_host_config(mounts=[station, *mounts], **HOST, **limits),
        use_config_proxy=False,  # the passwords of proxies are not for trains
        **CONFIG,
    )
    return client.containers.get(made["Id"])


def _run(container: Any) -> dict[str, str]:
    """Start a container, or wait for one that runs, and return the facts of its status line."""
    container.logs(tail=1)  # fails before the start if the engine keeps no log that can be read
    container.start()
    container.reload()
    since = datetime.fromisoformat(container.attrs["State"]["StartedAt"]).timestamp()
    for piece in container.logs(stream=True, follow=True, since=since):
        _log.info("%s", piece.decode(errors="replace").rstrip())
    status = container.wait()["StatusCode"]
    last = b""
    # Not by `tail`, which counts the lines of stdout too.
    for piece in container.logs(stream=True, stdout=False, since=since):
        last = piece
    facts = read(last.decode(errors="replace").strip(), status)
    _log.info("%s ended with status %d", container.name, status)
    return facts


def _refuse(facts: Mapping[str, str], what: str) -> None:
    """Raise what makes Airflow try the task again, or fail it, as the facts say."""
    match decide(facts):
        case Next.AGAIN:
            raise RuntimeError(f"{what}: not finished, goes on with the next try")
        case Next.FAIL:
            reason = facts.get("code") or facts["result"]
            raise AirflowFailException(f"{what}: {reason}; it is the {facts.get('by')} who acts")


def _is_unfinished(container: Any) -> bool:
    """Return whether the configuration says so; a killed engine may tell a wrong exit status."""
    stream, _ = container.get_archive("/opt/train_config.json")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile("train_config.json")
        return file is None or "pht_unfinished" in json.load(file)


def _make_room(client: docker.DockerClient, base: str, name: str) -> Any:
    """Make a container of the image as it was built, without what lies where the train goes.

    Copying removes nothing, and the next station would refuse a train with more files. The `rm` is
    that of the master image, with which `base` was compared; it sees neither key nor data.
    """
    has_user = client.images.get(base).attrs["Config"].get("User")  # an image without one stays so
    container = client.containers.create(
        base,
        ["-rf", *(f"/opt/{path}" for path in PATHS)],
        name=name,
        entrypoint=["rm"],
        user="0" if has_user else None,
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE", "FOWNER"],
        security_opt=["no-new-privileges"],
        pids_limit=1000,
        use_config_proxy=False,
    )
    container.start()
    if container.wait()["StatusCode"] != 0:
        raise RuntimeError(f"no room for the train in {base}: {container.logs().decode()}")
    return container


def _digest(container: Any, path: str) -> bytes:
    """Return the digest of the names, types, rights, owners and contents below a path."""
    stream, _ = container.get_archive(f"/opt/{path}")
    digest = hashlib.sha256()
    for piece in stream:
        digest.update(piece)
    return digest.digest()


def _discard(client: docker.DockerClient, name: str) -> None:
    """Remove a container with its volume, if it is there."""
    with suppress(NotFound):
        client.containers.get(name).remove(v=True, force=True)
