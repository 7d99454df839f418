"""Airflow in an environment of its own below `.venv`, and runs of the DAG in it."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.kept import install, keep
from tests.station import REPOSITORY

HERE = Path(__file__).parent
LOCKS = [HERE / "uv.txt", HERE / "requirements.txt"]
DAGS = REPOSITORY / "examples" / "airflow"

PATIENCE_S = 600
"""Seconds after which a run counts as hanging: Airflow alone takes fifteen to begin."""

STEP = """
import sys
import station_visit
print(getattr(station_visit, sys.argv[1])(*sys.argv[2:]))
"""


@dataclass(frozen=True)
class Ended:
    """The end of a run: exit status, log, and the state and number of tries of each task."""

    status: int
    log: str
    tasks: dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own, whose worker is configured by variables."""

    environment: Path
    home: Path
    variables: Mapping[str, str]
    dags: Path = DAGS

    @property
    def _log(self) -> Path:
        return self.home / "log"

    @property
    def _variables(self) -> dict[str, str]:
        return {**os.environ, **_configuration(self.home, self.dags), **self.variables}

    def begin(self, repository: str) -> "subprocess.Popen[bytes]":
        """Start a run of the DAG for a train."""
        database = self.home / "airflow.db"
        if not database.exists():
            shutil.copyfile(self.environment / "airflow.db", database)
        conf = json.dumps({"repository": repository})
        command: list[str | Path] = [
            self.environment / "bin" / "airflow",
            "dags",
            "test",
            "--conf",
            conf,
        ]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*command, "train_visit"],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def step(self, name: str, *words: str, setup: str = "") -> "subprocess.Popen[bytes]":
        """Start one step of `station_visit` without the scheduler; it prints what it returns.

        Args:
            name: of the function.
            words: its arguments.
            setup: code that runs before it.
        """
        return subprocess.Popen(
            [self.environment / "bin" / "python", "-c", setup + STEP, name, *words],
            env={**self._variables, "PYTHONPATH": str(self.dags)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_until(self, text: str, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the log of a run has a text; fails if it never does."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._log.read_text():
            assert process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def end(self, process: "subprocess.Popen[bytes]") -> Ended:
        """Wait for the end of a run."""
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            rows = database.execute(
                "select task_id, state, try_number from task_instance where run_id ="
                " (select run_id from dag_run order by id desc limit 1)"
            )
            tasks = {task: (state, tries) for task, state, tries in rows}
        return Ended(process.returncode, self._log.read_text(), tasks)

    def run(self, repository: str) -> Ended:
        """Run the DAG for a train to its end."""
        return self.end(self.begin(repository))


def make() -> Path:
    """Return the environment, with an empty database of Airflow in `airflow.db`.

    Raises:
        Unavailable: it cannot be made, because PyPI cannot be reached.
    """
    made_of = [sys.version.encode(), *(lock.read_bytes() for lock in LOCKS)]
    return keep("airflow", made_of, _fill)


def _fill(folder: Path) -> None:
    install(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement"]
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    install(*pip, "--disable-pip-version-check", *options, LOCKS[0])
    # Packages by the hundred take pip minutes.
    install(folder / "bin" / "uv", "pip", "install", "--python", python, *options, LOCKS[1])
    subprocess.run(
        [folder / "bin" / "airflow", "db", "migrate"],
        env={**os.environ, **_configuration(folder, DAGS)},
        check=True,
        capture_output=True,
    )


def _configuration(home: Path, dags: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }
