"""A DAG for Airflow 3: the visit of a train, from the pull to the push."""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, Param, dag, task

import station_visit
from station_visit import Images

DATA = os.environ.get("STATION_DATA", "/srv/pht")


class Visit(BaseOperator):
    """Makes the visit, and stops its container if the task is ended from outside."""

    template_fields = ("repository", "images", "data")

    def __init__(self, *, repository: str, images: Any, data: Any, **options: Any) -> None:
        super().__init__(**options)
        self.repository = repository
        self.images = images
        self.data = data

    def execute(self, context: Context) -> str:
        """Return the id of the container with the sealed train."""
        return station_visit.visit(self.repository, self.images["latest"], self.data)

    def on_kill(self) -> None:
        """Leave the engine the time that the container needs to restore or seal the train."""
        station_visit.stop(self.repository)


@task
def pull(repository: str) -> Images:
    """Pull both images of the train, and call them by their ids from now on."""
    return station_visit.pull(repository)


@task
def validate(images: Images) -> Images:
    """Let only trains on the station's master images pass."""
    station_visit.validate(images)
    return images


@task
def query(repository: str, images: Images) -> str | None:
    """Read which data the train asks for."""
    return station_visit.query(repository, images["latest"])


@task
def fetch(repository: str, text: str | None) -> str:
    """Return the path of the data. REPLACE THIS: make the data that the query describes.

    A train that is tried again, or runs once more, gets the same path.

    Args:
        repository: of the train.
        text: the verified query, None if the train has none.
    """
    return os.path.join(DATA, os.path.basename(repository))


@task
def hand_over(repository: str, images: Images, visited: str) -> str:
    """Put the sealed train onto the image as it was built."""
    return station_visit.hand_over(repository, images["base"], visited)


@task
def push(repository: str, image: str, visited: str) -> None:
    """Push it, and remove the container of the visit."""
    station_visit.push(repository, image, visited)


@dag(
    schedule=None,
    max_active_runs=1,  # two visits of one train must not meet
    params={"repository": Param(type="string", pattern="^([^@]+/)?[^:@/]+$")},
    # Longer than PHT_TIMEOUT in station.env, which ends a train that takes too long: an answer.
    default_args={"retries": 3, "execution_timeout": timedelta(days=1)},
)
def train_visit() -> None:
    """Pull, validate, query, fetch, visit, hand over and push."""
    repository = "{{ params.repository }}"
    images = validate(pull(repository))
    data = fetch(repository, query(repository, images))
    visited = Visit(task_id="visit", repository=repository, images=images, data=data).output
    push(repository, hand_over(repository, images, visited), visited)


train_visit()
