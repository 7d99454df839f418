"""Shown while a simulated visit runs: it is looked at again and again until it has ended."""

import subprocess

from entrypoint.author.local_visit import wait


def test_a_runner_is_looked_at_while_it_runs_and_once_when_it_has_ended() -> None:
    runner = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    ended = []

    def watch() -> None:
        ended.append(runner.returncode is not None)
        if runner.stdin:
            runner.stdin.close()  # which ends it

    assert wait(runner, watch) == 0
    assert ended == [False, True]
