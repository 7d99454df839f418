"""`pht query`: outputs the verified query, so that the station can fetch the data before a run."""

from collections.abc import Callable, Iterable

from entrypoint.errors import NoQuery
from entrypoint.model import QUERY
from entrypoint.protocol.verify import contents, has_visited
from entrypoint.report import Outcome, Report
from entrypoint.settings.settings import Settings
from entrypoint.visit.boarding import refuse_replay
from entrypoint.visit.opener import Opener
from entrypoint.visit.restorer import Restorer
from entrypoint.visit.session import Session, run_locked
from entrypoint.visit.station_key import StationKey


def query(settings: Settings, report: Report, write: Callable[[Iterable[bytes]], None]) -> Outcome:
    """Verify the train, and pass the plaintext of its query to `write`."""

    def verify_and_write(session: Session) -> Outcome:
        key = StationKey(settings)
        disk = key.visit_state(session.paths)
        train = Opener(session, disk).verify(Restorer(session, disk).load_complete(), key)
        if not has_visited(train.config, key.station):
            refuse_replay(session, train.config)
        folder = session.paths.train
        if not train.config.has_query(folder):
            raise NoQuery(
                "no-query",
                f"the train carries no {QUERY}",
                hint="there is no query to fetch data with; ask the user what data the train needs",
            )
        with session.stop.at_once():  # the reader of a pipe may never read
            write(contents(train.config, folder / QUERY, train.key))
        return session.succeeded("verified")

    return run_locked(settings, report, verify_and_write)
