"""`pht check`: verifies everything that a visit would verify, and writes nothing."""

from entrypoint.protocol.verify import has_visited
from entrypoint.report import Outcome, Report
from entrypoint.settings.settings import Settings
from entrypoint.visit.boarding import refuse_replay
from entrypoint.visit.opener import Opener
from entrypoint.visit.restorer import Restorer
from entrypoint.visit.session import Session, run_locked
from entrypoint.visit.station_key import StationKey


def check(settings: Settings, report: Report) -> Outcome:
    """Verify the train and its results; the code says whether this station is still to visit."""

    def verify(session: Session) -> Outcome:
        key = StationKey(settings)
        disk = key.visit_state(session.paths)
        opener = Opener(session, disk)
        train = opener.verify(Restorer(session, disk).load_complete(), key)
        visited = has_visited(train.config, key.station)
        if not visited:
            refuse_replay(session, train.config)
        opened = opener.decrypt(train, None)
        code = "already-visited" if visited else "ready"
        return session.succeeded("verified", code=code, files=opened.contents.files)

    return run_locked(settings, report, verify)
