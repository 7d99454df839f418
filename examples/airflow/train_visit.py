"""A DAG for Airflow 3: one train's visit at this station."""

from datetime import timedelta

from airflow.exceptions import AirflowFailException
from airflow.sdk import Param, dag, get_current_context, task

import station_visit


@dag(
    schedule=None,
    catchup=False,
    params={"repository": Param(type="string"), "data": Param(type="string")},
)
def train_visit() -> None:
    """Pull, validate, visit, hand over and push a train."""

    @task(retries=3, retry_delay=timedelta(minutes=1))
    def visit() -> None:
        """Go on after an interruption; end at once where trying again is of no use."""
        params = get_current_context()["params"]
        try:
            station_visit.visit(params["repository"], params["data"], "-p")
        except station_visit.Failed as failed:
            raise AirflowFailException(str(failed)) from failed

    visit()


train_visit()
