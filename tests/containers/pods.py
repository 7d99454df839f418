"""Pods of Kubernetes manifests, run by podman on one node, with folders in the place of storage."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.containers.engine import Finished
from tests.containers.other_engines import OtherEngines
from tests.station import REPOSITORY, Done

Manifest = dict[str, Any]

MANIFESTS = REPOSITORY / "examples" / "kubernetes"

USER = 10001
"""The user and the group of the pods."""

MESSAGE_LINES, MESSAGE_BYTES = 80, 2048
"""Maximum size of the message that a kubelet takes from the end of a log."""


def documents(manifest: Path) -> list[Manifest]:
    """Return the objects of a manifest, without anchors."""
    return [json.loads(json.dumps(found)) for found in yaml.safe_load_all(manifest.read_text())]


def containers(pod: Manifest) -> Iterator[Manifest]:
    """Yield all containers of the spec of a pod."""
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        others: have podman.
        folder: has a folder for each volume and each claim, named like it.
        config_maps: those of the station.
        images: what each image of the manifests is here.
        words: what replaces words of the manifests.
    """

    others: OtherEngines
    folder: Path
    config_maps: Sequence[Manifest]
    images: Mapping[str, str]
    words: Mapping[str, str]

    def claim(self, name: str) -> Path:
        """Make a claim, empty, and return its folder."""
        folder = self.fresh(name)
        self.others.try_podman("volume", "rm", "--force", name)
        device = f"device={folder}"
        options = ["--opt", "type=none", "--opt", "o=bind", "--opt", device]
        self.others.podman("volume", "create", *options, name)
        return folder

    def fresh(self, name: str) -> Path:
        """Return an empty folder that belongs to the pods' group, as with fsGroup."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.chown(folder, 0, USER)
        folder.chmod(0o2775)
        return folder

    def project(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make the folder of a volume whose files come from Secrets, as a kubelet does."""
        folder = self.fresh(name)
        version = folder / "..2026_03_01"
        version.mkdir()
        (folder / "..data").symlink_to(version.name)
        for file, content in files.items():
            (version / file).write_bytes(content)
            os.chown(version / file, 0, USER)
            (version / file).chmod(0o440)
            (folder / file).symlink_to(f"..data/{file}")

    def pod_of(self, job: Manifest) -> Manifest:
        """Return the pod of a Job in a form that podman 4.3 knows.

        It knows neither Jobs, nor emptyDir, nor projected volumes, nor subPath, and does not decode
        Secrets.
        """
        spec: Manifest = job["spec"]["template"]["spec"]
        for container in containers(spec):
            container["image"] = self.images[container["image"]]
        text = json.dumps(spec)
        for word, here in self.words.items():
            text = text.replace(word, here)
        spec = json.loads(text)
        for volume in spec["volumes"]:
            if "emptyDir" in volume:
                self.fresh(volume["name"])
            if not {"persistentVolumeClaim", "configMap"} & volume.keys():
                volume_of_host(volume, self.folder / volume["name"])
        claims = {
            volume["name"]: volume.get("persistentVolumeClaim", {}).get("claimName")
            for volume in spec["volumes"]
        }
        for container in containers(spec):
            for mount in container["volumeMounts"]:
                if part := mount.pop("subPath", None):
                    folder = self.folder / claims[mount["name"]] / part
                    mount["name"] += f"-{part}"
                    spec["volumes"].append(volume_of_host({"name": mount["name"]}, folder))
        metadata = {"name": "pod"}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def begin(self, manifest: Path, *, network: str = "none") -> Finished:
        """Start the pod of a manifest's Job, and return once its initContainers have ended."""
        self.others.try_podman("pod", "rm", "--force", "pod")
        [job] = [found for found in documents(manifest) if found["kind"] == "Job"]
        played = self.folder / "pod.yaml"
        played.write_text(yaml.safe_dump_all([*self.config_maps, self.pod_of(job)]))
        return self.others.try_podman("kube", "play", "--network", network, played)

    def run(self, manifest: Path, container: str, *, network: str = "none") -> Done:
        """Run the pod of a manifest's Job to its end, and return how a container has ended.

        If that was not started, this is how podman has failed.
        """
        begun = self.begin(manifest, network=network)
        if begun.status != 0:
            return Done(begun.status, begun.stdout, begun.stderr.decode())
        return self.ended(container)

    def ended(self, container: str) -> Done:
        """Wait for the end of a container and return it."""
        status = int(self.others.podman("wait", f"pod-{container}"))
        said = self.others.try_podman("logs", f"pod-{container}")
        return Done(status, said.stdout, said.stderr.decode())

    def message(self, container: str) -> str:
        """Return the message of a container with FallbackToLogsOnError, as a kubelet makes it."""
        form = "{{.HostConfig.LogConfig.Path}}"
        log = Path(self.others.podman("inspect", "--format", form, f"pod-{container}").strip())
        lines = [line.split(b" ", 3)[3] for line in log.read_bytes().splitlines(keepends=True)]
        return b"".join(lines[-MESSAGE_LINES:])[-MESSAGE_BYTES:].decode(errors="replace")


def volume_of_host(volume: Manifest, folder: Path) -> Manifest:
    """Make a volume a folder of the host, and return it."""
    name = volume["name"]
    volume.clear()
    volume.update(name=name, hostPath={"path": str(folder)})
    return volume
