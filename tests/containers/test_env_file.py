"""One file as `station.env` and for `docker run --env-file`: both read it alike."""

from pathlib import Path

from entrypoint.settings.station_env import parse
from tests.containers.engine import Engine

FILE = """\
\ufeff# what the station sets
STATION_ID=ward 7 = \u00fc
 \t# a comment behind blanks

   \t
  INDENTED=1
QUOTED="a" 'b'
BLANKS=  x \t
COMMENT=x # not a comment
EMPTY=
CRLF=x\r
LAST=x"""


def test_docker_reads_the_file_as_the_runner_does(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    file = tmp_path / "station.env"
    file.write_bytes(FILE.encode())
    values = parse(file, file.read_bytes())

    listed = engine.run(base_image, "env", "-0", options=["--env-file", str(file)])

    assert listed.status == 0, listed.stderr
    lines = listed.stdout.decode().split("\0")
    ours = {line for line in lines if line.partition("=")[0] in values}  # gVisor sorts them
    assert ours == {f"{name}={value}" for name, value in values.items()}
    assert list(values) == [
        *("STATION_ID", "INDENTED", "QUOTED", "BLANKS", "COMMENT", "EMPTY", "CRLF", "LAST")
    ]
