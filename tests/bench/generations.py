"""The generations of trains: how each is made, and what it is compared with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import reference, reference_route, reference_rsa
from tests.bench import primitives
from tests.bench.measure import POST_RUN, PRE_RUN
from tests.bench.primitives import Primitive


@dataclass(frozen=True)
class Generation:
    """One generation of trains.

    Attributes:
        published: the version of the published package, as in tests/interop.
        peer: the functions that call it, MODULE.NAME in `peers`.
        loop: those of the plain loop, in the same form.
        build: as `reference.build_initial`.
        make_visits: adds the visits of stations, given by their private keys, that leave no
            results; takes a folder like `/opt` before the first stop.
        symmetric_key: takes a folder like `/opt` and the user's private key.
        primitives: those that process every byte in each half of a visit.
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
    """Sign the links of all visits, but encrypt a symmetric key in the last one only."""
    config = reference.load_config(opt)
    chain = config["digital_signature"] = []
    *before, (last, key_of_last) = stations.items()
    for station, key in before:
        chain.append(reference.next_link(config, station, key))
    (opt / "train_config.json").write_text(json.dumps(config))
    reference.published_post_run(opt, last, key_of_last)


def _visit_route(opt: Path, stations: Mapping[str, bytes]) -> None:
    """Sign for all visits, but make only the last one completely."""
    config = reference.load_config(opt)
    nothing = reference.result_hash([], reference.session_id(config))
    *before, (last, key_of_last) = stations.items()
    for index, (station, key) in enumerate(before):
        digest = reference_route.chain_digest(config, index, nothing)
        signature = reference_rsa.sign(reference_rsa.private(key), digest)
        slot = {"digest": digest.hex(), "signature": signature}
        reference_route.stop_of(config, station)["signature"] = slot
    first, first_key = before[0]
    reference_route.published_pre_run(opt, first, first_key)  # only the first stop has the key
    (opt / "train_config.json").write_text(json.dumps(config))
    reference_route.published_post_run(opt, last, key_of_last)


def _build_route(
    root: Path, files: Mapping[str, bytes], user_key: bytes, stations: Mapping[str, bytes]
) -> Path:
    builder = reference_route.vector_key("builder", private=True)
    return reference_route.build_initial(root, files, user_key, builder, stations)


FLAT = Generation(
    name="flat",
    published="1.0.0",
    peer="published.BOTH",
    loop="plain_loop.FLAT",
    build=reference.build_initial,
    make_visits=_visit_flat,
    symmetric_key=reference.symmetric_key,
    primitives={
        PRE_RUN: (
            primitives.DECODE,
            primitives.HMAC_SHA_256,
            primitives.AES_128_DECRYPT,
            primitives.SHA_512,
        ),
        POST_RUN: (
            primitives.SHA_512,
            primitives.AES_128_ENCRYPT,
            primitives.HMAC_SHA_256,
            primitives.ENCODE,
        ),
    },
)
ROUTE = Generation(
    name="route",
    published="2.0.5",
    peer="published.BOTH",
    loop="plain_loop.ROUTE",
    build=_build_route,
    make_visits=_visit_route,
    symmetric_key=reference_route.symmetric_key,
    primitives={
        PRE_RUN: (primitives.AES_256_DECRYPT, primitives.SHA_512),
        POST_RUN: (primitives.SHA_512, primitives.AES_256_ENCRYPT),
    },
)

GENERATIONS = (FLAT, ROUTE)
