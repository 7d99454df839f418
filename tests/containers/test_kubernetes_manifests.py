"""`examples/kubernetes`: its manifests are valid, and keep to the restricted standard for pods."""

from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from tests.containers.pods import MANIFESTS, Manifest, containers, documents

VERSIONS = ("1.29", "1.33", "1.37")
"""Schemas before 1.29 say falsely that a rule for exit statuses needs conditions of pods too."""

FORBIDDEN = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
"""Fields of a pod that share something with its node."""

VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
"""Kinds of volumes that the standard lets pass, as far as they are used here."""

manifests = pytest.mark.parametrize(
    "manifest", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name
)


@manifests
@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_knows_every_field(manifest: Path, version: str) -> None:
    found = [*documents(manifest)]
    assert found, "an empty file breaks no schema"
    for document in found:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_misspelt_field_would_be_found(version: str) -> None:
    job = job_of(MANIFESTS / "visit.yaml")
    job["spec"]["template"]["spec"]["securityContext"]["runAsNonroot"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="runAsNonroot"):
        kubernetes_validate.validate(job, version, strict=True)


@manifests
def test_a_pod_keeps_to_the_restricted_standard(manifest: Path) -> None:
    assert violations(pod_of(manifest)) == []


BREAKS: dict[str, Callable[[Manifest], object]] = {
    "hostNetwork": lambda pod: pod.update(hostNetwork=True),
    "volume data": lambda pod: pod["volumes"].append({"name": "data", "hostPath": {"path": "/"}}),
    "load: runAsNonRoot": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    "visit: runAsUser": lambda pod: last(pod).update(runAsUser=0),
    "visit: seccompProfile": lambda pod: last(pod).update(seccompProfile={"type": "Unconfined"}),
    "load: seccompProfile": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "visit: allowPrivilegeEscalation": lambda pod: last(pod).pop("allowPrivilegeEscalation"),
    "visit: capabilities": lambda pod: last(pod).update(capabilities={"add": ["CHOWN"]}),
    "visit: privileged": lambda pod: last(pod).update(privileged=True),
    "visit: readOnlyRootFilesystem": lambda pod: last(pod).pop("readOnlyRootFilesystem"),
}


def last(pod: Manifest) -> Manifest:
    """Return the security context of the last container of a pod."""
    found: Manifest = pod["containers"][-1]["securityContext"]
    return found


@pytest.mark.parametrize("violation", BREAKS)
def test_a_violation_of_the_standard_would_be_found(violation: str) -> None:
    pod = pod_of(MANIFESTS / "visit.yaml")
    BREAKS[violation](pod)
    assert violation in violations(pod)


def violations(pod: Manifest) -> list[str]:
    """Return what the restricted standard does not let pass; read-only roots are our own rule."""
    found = [field for field in FORBIDDEN if field in pod]
    for volume in pod["volumes"]:
        if not volume.keys() - {"name"} <= VOLUMES:
            found.append(f"volume {volume['name']}")
    for container in containers(pod):
        own = container["securityContext"]
        context = {**pod["securityContext"], **own}
        rules = {
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser": context.get("runAsUser") != 0,
            "seccompProfile": context.get("seccompProfile") == {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "privileged": not own.get("privileged"),
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "ports": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [f"{container['name']}: {rule}" for rule, kept in rules.items() if not kept]
    return found


def test_the_key_is_in_the_container_of_the_visit_only() -> None:
    for manifest in MANIFESTS.glob("*.yaml"):
        pod = pod_of(manifest)
        with_key = [v["name"] for v in pod["volumes"] if "pht-key" in str(v)]
        holders = {
            container["name"]
            for container in containers(pod)
            for mount in container["volumeMounts"]
            if mount["name"] in with_key
        }
        assert holders == ({"visit"} if manifest.name == "visit.yaml" else set())


def test_the_image_of_the_train_sees_no_claim_of_a_pod_before_it() -> None:
    """If that was killed, the results of earlier stops lie there in plaintext."""
    pod = pod_of(MANIFESTS / "visit.yaml")
    [load] = [found for found in containers(pod) if "/patients@" in found["image"]]
    assert [mount["name"] for mount in load["volumeMounts"]] == ["arriving"]


@manifests
def test_no_pod_with_a_network_has_the_label_of_those_without(manifest: Path) -> None:
    label = job_of(manifest)["spec"]["template"]["metadata"]["labels"]["app"]
    needs_network = "/run/registry" in manifest.read_text()
    assert label == ("pht-registry" if needs_network else "pht")


def test_a_pod_follows_one_that_was_killed_or_drained_and_no_other() -> None:
    """75 and 137 are the two statuses after which a visit goes on."""
    policy = job_of(MANIFESTS / "visit.yaml")["spec"]["podFailurePolicy"]
    drained, answered = policy["rules"]
    assert drained["action"] == "Ignore"
    assert [found["type"] for found in drained["onPodConditions"]] == ["DisruptionTarget"]
    assert answered["action"] == "FailJob"
    assert answered["onExitCodes"] == {"operator": "NotIn", "values": [75, 137]}


def job_of(manifest: Path) -> Manifest:
    """Return the Job of a manifest."""
    [job] = [found for found in documents(manifest) if found["kind"] == "Job"]
    return job


def pod_of(manifest: Path) -> Manifest:
    """Return the spec of the pods of a manifest's Job."""
    spec: Manifest = job_of(manifest)["spec"]["template"]["spec"]
    return spec
