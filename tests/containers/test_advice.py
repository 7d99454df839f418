"""Advice by the messages of R and of shells in a container whose files cannot be changed."""

import pytest

from entrypoint.author.advice import advise
from entrypoint.report import Fact
from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import not_in_gvisor, or_skip

pytestmark = not_in_gvisor("messages differ there, and memory is granted without a limit")

FAILED: dict[str, Fact] = {"result": "train-failed", "reason": "exited", "by": "author"}

UNCHANGEABLE = ["--user", "10001", "--read-only", "--tmpfs", "/tmp"]

SHELL = {
    "echo a >/placed": "a train cannot write /placed",
    "touch /placed": "a train cannot write /placed",
    "mkdir /placed": "a train cannot write /placed",
    "echo a >/proc/version": "no right to /proc/version",
    'python3 -c \'open("/placed", "w")\'': "a train cannot write /placed",
    'python3 -c \'open("/proc/version", "w")\'': "no right to /proc/version",
    "frobnicate": "the program frobnicate is missing",
    "env frobnicate": "the program frobnicate is missing",
    "python3 -c 'import ctypes; ctypes.CDLL(\"libnothing.so.3\")'": "library libnothing.so.3 is",
    "python3 -c 'import urllib.request as r; r.urlopen(\"http://example.org\")'": "no network",
    "python3 -c 'import urllib.request as r; r.urlopen(\"http://192.0.2.1\")'": "no network",
}
"""Commands of a shell, and a part of the hint for each."""

R = {
    "plot(1)": "a train cannot write Rplots.pdf",
    "pdf('/placed.pdf')": "a train cannot write /placed.pdf",
    "png('/placed.png'); plot(1)": "a train cannot write /placed.png",
    "readLines('http://example.org')": "a train has no network",
    "write.csv(1, '/placed.csv')": "a train cannot write /placed.csv",
    "saveRDS(1, '/placed.rds')": "a train cannot write /placed.rds",
    "writeLines('a', '/proc/version')": "no right to /proc/version",
    "library(lme4)": "the R package lme4 is missing",
    "lme4::filter(1)": "the R package lme4 is missing",
    "stopifnot(require(lme4))": "the R package lme4 is missing",
    "X11()": "a train has no display",
    "numeric(1e13)": "memory ran out",
    "stopifnot(system('frobnicate') == 0)": "the program frobnicate is missing",
}
"""Programs in R, and a part of the hint for each."""

LANGUAGES = ["de", "fr", "ja", "nn", "zh_CN", "zh_TW", "ko", "ru"]

IN_GERMAN = """\
cp -r /usr/lib/locale/C.utf8 /usr/lib/locale/de_DE.utf8
export LANG=de_DE.UTF-8
"""
"""Makes R speak German: gettext translates nothing in the locale C."""

END = "the end of a command"

Output = dict[str, list[str]]
"""What each command wrote to stderr, in lines."""


def run_each(
    engine: Engine, base: str, commands: list[str], *options: str, first: str = ""
) -> Output:
    """Run commands of a shell, one after another, in a container."""
    script = first + "".join(f"({command})\necho {END} >&2\n" for command in commands)
    image = or_skip(lambda: make_base(engine, base))
    done = engine.run(image, "sh", "-c", script, options=options)
    outputs = done.stderr.decode().split(f"{END}\n")
    return {
        command: output.splitlines() for command, output in zip(commands, outputs[:-1], strict=True)
    }


@pytest.fixture(scope="module", params=["trixie", "musl"])
def said_by_shell(engine: Engine, request: pytest.FixtureRequest) -> Output:
    return run_each(engine, request.param, [*SHELL], *UNCHANGEABLE)


@pytest.fixture(scope="module")
def said_by_r(engine: Engine) -> Output:
    return run_each(engine, "r", [shown_to_r(code) for code in R], *UNCHANGEABLE)


@pytest.fixture(scope="module")
def said_in_languages(engine: Engine) -> Output:
    commands = [f"LANGUAGE={language} {shown_to_r('library(lme4)')}" for language in LANGUAGES]
    return run_each(engine, "r", commands, first=IN_GERMAN)


@pytest.mark.parametrize("command", SHELL)
def test_a_message_of_a_shell_is_understood(command: str, said_by_shell: Output) -> None:
    said = said_by_shell[command]
    assert SHELL[command] in (advise(FAILED, said) or ""), said


@pytest.mark.parametrize("code", R)
def test_a_message_of_r_is_understood(code: str, said_by_r: Output) -> None:
    said = said_by_r[shown_to_r(code)]
    assert R[code] in (advise(FAILED, said) or ""), said


def test_r_misses_a_package_in_every_language(said_in_languages: Output) -> None:
    for said in said_in_languages.values():
        assert "there is no package" not in " ".join(said)
        assert "the R package lme4 is missing" in (advise(FAILED, said) or ""), said


def shown_to_r(code: str) -> str:
    return f'Rscript -e "{code}"'
