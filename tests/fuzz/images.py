"""Looks for archives of images that break our reader, guided by coverage: `make fuzz`.

Arguments are those of libFuzzer: options, and folders of inputs, the first of which gets new ones.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["entrypoint"]):
    from tests.fuzz.oracle import check

from tests.adversarial.hostile_images.all_cases import CASES
from tests.fuzz.inputs import inputs

LIMITS = ["-rss_limit_mb=1024", "-malloc_limit_mb=256", "-timeout=10", "-max_len=20480"]
"""Breaking one of them is an error as well."""


def main() -> None:
    """Run the fuzzer on inputs that begin with those of the hostile images."""
    folder = next(Path(word) for word in sys.argv[1:] if not word.startswith("-"))
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        for name, data in inputs(case).items():
            (folder / name).write_bytes(data)
    atheris.Setup([sys.argv[0], *LIMITS, f"-artifact_prefix={folder}-", *sys.argv[1:]], run)
    atheris.Fuzz()


def run(data: bytes) -> None:
    """Check one input."""
    check(data)


if __name__ == "__main__":
    main()
