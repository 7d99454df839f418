"""Pods of Kubernetes manifests, run by podman."""

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from tests.containers.engine import Finished
from tests.containers.other_engines import OtherEngines

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: pod
spec:
"""

CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""What podman sets by itself may be more than the machine allows, or needs an init system."""


def pod_of(manifest: str, images: Mapping[str, str], volumes: Mapping[str, Path]) -> str:
    """Return the pod of a manifest's Job in a form that podman 4.3 knows.

    It has neither Jobs, nor projected volumes, nor emptyDir.

    Args:
        manifest: as text, with one Job.
        images: what each of its images is here.
        volumes: the folder for each of its volumes, or for the part of it that is mounted.
    """
    [job] = [part for part in manifest.split("---\n") if "\nkind: Job\n" in part]
    spec, _, declared = dedent(job.partition("\n    spec:\n")[2]).partition("volumes:\n")
    assert set(re.findall("^  - name: (.*)$", declared, re.MULTILINE)) == volumes.keys()
    assert set(re.findall("image: (.*)", spec)) == images.keys()
    for image, here in images.items():
        spec = spec.replace(f"image: {image}\n", f"image: {here}\n")
    spec = re.sub("\n *subPath: .*", "", spec) + "volumes:\n"
    for name, folder in volumes.items():
        spec += f"  - name: {name}\n    hostPath:\n      path: {folder}\n"
    return POD + indent(spec, "  ")


def play(others: OtherEngines, pod: str, container: str) -> Finished:
    """Run a pod without a network to its end, and return how one of its containers has ended.

    If that was not started, this is how podman has failed.
    """
    manifest = others.folder / "pod.yaml"
    manifest.write_text(pod)
    played = others.try_podman("kube", "play", "--network", "none", manifest)
    try:
        if played.status != 0:
            return played
        status = int(others.podman("wait", f"pod-{container}"))
        said = others.try_podman("logs", f"pod-{container}")
        return Finished(status, said.stdout, said.stderr)
    finally:
        others.podman("pod", "rm", "--force", "pod")
