"""Rows of the table for what has no client like Docker's: kept by hand, tested elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A row of the table in `docs/engines.md`, as it stands there.

    Attributes:
        engine: what runs the containers; with a link to its section, or to its example.
        works: what was run for real, in the words of the list above the table.
        layers: those of the status line, in code quotes; or words.
        run_with: versions.
        not_run: what could not be run, and why; a dash if nothing.
    """

    engine: str
    works: str
    layers: str
    run_with: str
    not_run: str = "–"


ALL_CASES = "all five"

ELSEWHERE = [
    Row(
        "[Kubernetes](#kubernetes)",
        ALL_CASES,
        "`caps,landlock,seccomp,key-absent`",
        "podman 4.3.1, `kube play`",
        "a cluster: the Jobs, `fsGroup`, network policies",
    ),
    Row(
        "[Compose](#compose)",
        ALL_CASES,
        "`uid,caps,landlock,seccomp,key-absent`",
        "docker-compose 1.29.2, Docker 20.10",
        "Compose v2",
    ),
    Row(
        "[systemd](#systemd)",
        ALL_CASES,
        "as Docker, which it calls",
        "systemd 252, Docker 20.10",
        "a boot, the journal",
    ),
    Row(
        "[Apptainer](#apptainer)",
        ALL_CASES,
        "`caps,landlock,seccomp,key-absent`",
        "a stand-in that makes the same mounts and namespaces",
        "Apptainer itself: Debian has no package of it",
    ),
    Row(
        "[Airflow](../examples/airflow/README.md)",
        ALL_CASES,
        "as Docker, which it calls",
        "Airflow 3.3.2, Docker 20.10",
        "workers on other machines",
    ),
    Row(
        "[arm64](#other-processors)",
        "visit",
        "`uid,caps,key-absent`",
        "QEMU 7.2, which emulates processes",
        "a machine with that processor",
    ),
]
"""In the order of the page, below the rows that `make engines` writes."""
