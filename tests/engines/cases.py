"""The cases that every kind of engine is tried with."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.containers.visitor import (
    COUNTS,
    LARGE,
    SECOND,
    WAITS,
    arrived,
    as_owned_by_root,
    assert_visited,
)
from tests.engines.host import DockerLike, Host, Visitor
from tests.reference import STATIONS
from tests.station import Done, opened, settle, snapshot, wait_until

THIRD = STATIONS[2]


@dataclass(frozen=True)
class Station:
    """A station at which a train arrives.

    Attributes:
        host: its machine.
        next_host: starts the machine of the next station, which has another engine.
        folder: that every user may enter.
    """

    host: Host
    next_host: Callable[[], DockerLike]
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def train(self, script: str) -> tuple[Path, Visitor]:
        """Let a train arrive at its second stop; return its folder and its container."""
        self.data.mkdir()
        self.data.chmod(0o777)
        opt = arrived(self.folder / "arrived", script)
        root = settled(self.folder / "station", SECOND, self.host.owner)
        return opt, self.host.arrive(opt, root, self.data)

    def taken(self, visitor: Visitor) -> Path:
        return visitor.take(Path(tempfile.mkdtemp(dir=self.folder)))


def settled(root: Path, station: str, owner: int) -> Path:
    """Make the folder of a station, whose key only one user may read, and return `root`."""
    settle(root, station)
    os.chown(root / "run" / "pht" / "private_key.pem", owner, owner)
    return root


def visit(station: Station) -> Done:
    """Make a visit, and return how it has ended."""
    _, visitor = station.train(COUNTS)
    done = visitor.run()
    assert_visited(done)
    assert opened(station.taken(visitor)) == {"visits": b"2"}
    return done


def failed_train(station: Station) -> Done:
    """A train that fails."""
    opt, visitor = station.train(COUNTS + "raise SystemExit(3)")
    done = visitor.run()
    assert (done.status, done.facts["result"]) == (3, "train-failed")
    assert_same(station.taken(visitor), opt)
    return done


def stop(station: Station) -> Done:
    """A visit that is stopped while the train runs."""
    opt, visitor = station.train(WAITS)
    (station.data / "hold").touch()
    visitor.start()
    wait_until(lambda: visitor.said(b"aboard"))
    done = visitor.stop()
    assert (done.status, done.facts["result"]) == (143, "stopped")
    assert_same(station.taken(visitor), opt)
    return done


def kill_while_sealing(station: Station) -> Done:
    """A visit that is killed while it seals, and then resumed."""
    _, visitor = station.train(LARGE)
    visitor.start()
    wait_until((station.data / "runs").exists)
    wait_until(lambda: visitor.phase() == "sealing")
    assert visitor.kill().status == 137
    assert visitor.phase() == "sealing"
    done = visitor.run()
    assert_visited(done)
    assert (station.data / "runs").read_text() == "x"
    assert opened(station.taken(visitor))["visits"] == b"2"
    return done


def hand_over(station: Station) -> Done:
    """A visit of a train that then makes its next at a station with another engine."""
    _, visitor = station.train(COUNTS)
    done = visitor.run()
    assert_visited(done)
    there = station.next_host()
    image = station.host.hand_over(visitor, there)
    root = settled(station.folder / "next", THIRD, there.owner)
    follower = there.receive(image, root)
    assert_visited(follower.run())
    assert opened(station.taken(follower)) == {"visits": b"3"}
    return done


def assert_same(taken: Path, before: Path) -> None:
    """Check that a train is as it came; only its owner may be another."""
    assert as_owned_by_root(snapshot(taken)) == as_owned_by_root(snapshot(before))


CASES: dict[str, Callable[[Station], Done]] = {
    "visit": visit,
    "failed train": failed_train,
    "stop": stop,
    "kill while sealing": kill_while_sealing,
    "hand-over": hand_over,
}
"""The cases by their names in the table. CI runs the first one only."""
