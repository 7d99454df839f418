"""The workflow of a hosted runner starts `.ci/run`, which names no place of one machine."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
SCRIPT = (ROOT / ".ci" / "run").read_text()

PUBLIC_PATHS = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/bin/sh", "/usr/bin/env"}
PUBLIC_PATHS |= {"/usr/sbin/policy-rc.d", "/dev/null"}
"""Paths that every Debian machine has."""


def commands(workflow: str) -> list[str]:
    """Return the commands of a workflow's steps, folded as YAML does."""
    folded = re.findall(r"^ *- run: >-\n((?: {10}.*\n)+)", workflow, re.MULTILINE)
    plain = re.findall(r"^ *(?:- )?run: (?!>-)(.*)$", workflow, re.MULTILINE)
    return [" ".join(command.split()) for command in [*folded, *plain]]


def test_the_workflow_runs_one_command_which_is_ours() -> None:
    [command] = commands(WORKFLOW)
    assert command.split()[:2] == ["docker", "run"]
    assert command.split()[-2:] == ["debian:bookworm", ".ci/run"]


def test_actions_are_pinned_by_their_commit() -> None:
    used = re.findall(r"uses: (.*)", WORKFLOW)
    assert used
    assert all(re.fullmatch(r"actions/checkout@[0-9a-f]{40} # v[\d.]+", action) for action in used)


def test_a_workflow_may_write_nothing() -> None:
    assert "permissions:\n  contents: read\njobs:" in WORKFLOW
    assert "secrets." not in WORKFLOW


def test_the_script_names_no_place_of_one_machine() -> None:
    assert set(re.findall(r"(?<![\w.*)])/[\w./-]+", SCRIPT)) <= PUBLIC_PATHS
    assert not re.findall(r"https?:|DOCKER_HOST=|\d+\.\d+\.\d+\.\d+", SCRIPT)


def test_commands_of_either_form_are_found() -> None:
    steps = """
      - run: a
      - run: >-
          b
          c
      - name: x
        run: d
"""
    assert sorted(commands(steps)) == ["a", "b c", "d"]
