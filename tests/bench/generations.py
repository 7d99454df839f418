"""What differs between the generations of trains that are measured: an entry for each."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import reference
from tests.bench import primitives
from tests.bench.measure import HALVES
from tests.bench.primitives import Primitive


@dataclass(frozen=True)
class Generation:
    """How trains of one generation are made, and what they are compared with.

    Attributes:
        published: the version of the published package, as tests/interop has it.
        peer: the module of `peers` that drives it.
        loop: the module of `peers` that is the straightforward program.
        build: as `reference.build_initial`.
        make_visits: takes a folder like `/opt` before the first stop, and the keys of stations that
            visit it and leave no results.
        symmetric_key: takes a folder like `/opt` and the user's private key.
        primitives: what each half of a visit does with every byte.
    """

    name: str
    published: str
    peer: str
    loop: str
    build: Callable[[Path, Mapping[str, bytes], bytes, Mapping[str, bytes]], Path]
    make_visits: Callable[[Path, Mapping[str, bytes]], None]
    symmetric_key: Callable[[Path, bytes], bytes]
    primitives: Mapping[str, tuple[Primitive, ...]]


def _visit_flat(opt: Path, stations: Mapping[str, bytes]) -> None:
    """Make the links of all visits, and the envelopes of the last one only."""
    config = reference.load_config(opt)
    chain = config["digital_signature"] = []
    *before, (last, key_of_last) = stations.items()
    for station, key in before:
        chain.append(reference.next_link(config, station, key))
    (opt / "train_config.json").write_text(json.dumps(config))
    reference.published_post_run(opt, last, key_of_last)


_OPENING = (
    primitives.DECODE,
    primitives.HMAC_SHA_256,
    primitives.AES_128_DECRYPT,
    primitives.SHA_512,
)
_SEALING = (
    primitives.SHA_512,
    primitives.AES_128_ENCRYPT,
    primitives.HMAC_SHA_256,
    primitives.ENCODE,
)

FLAT = Generation(
    name="flat",
    published="1.0.0",
    peer="published_flat",
    loop="plain_loop",
    build=reference.build_initial,
    make_visits=_visit_flat,
    symmetric_key=reference.symmetric_key,
    primitives=dict(zip(HALVES, (_OPENING, _SEALING), strict=True)),
)

GENERATIONS = (FLAT,)
