"""`pht decrypt-results`: verifies and decrypts the results of a sealed train."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from entrypoint.author import paillier, private_keys
from entrypoint.author.desktop_files import copy_without, desktop_files
from entrypoint.author.encrypted_numbers import decrypt_numbers
from entrypoint.author.output import new_folder, private_folder
from entrypoint.crypto.envelopes import open_envelope
from entrypoint.crypto.keys import PrivateKey, PublicKey, fingerprint, same_key
from entrypoint.errors import (
    IntegrityError,
    MalformedTrain,
    MissingInput,
    RouteError,
    SettingsError,
    UsageError,
)
from entrypoint.files.links import refuse_links
from entrypoint.files.tar_reader import members, open_archive, unpack
from entrypoint.files.tree import Kind, walk
from entrypoint.images.train_files import unpack_train
from entrypoint.limits import LISTED_PROBLEMS
from entrypoint.model import Paths
from entrypoint.protocol.decrypt import Target, decrypt
from entrypoint.protocol.stages import OpenedTrain, VerifiedTrain
from entrypoint.protocol.verify import verify, verify_signatures
from entrypoint.report import Report, counted, show, table
from entrypoint.train_config import ResultsUnverified, TrainConfig, not_on_route, read
from entrypoint.train_config.file import read_config, read_config_allowing_links
from entrypoint.trust.anchors import NO_ANCHORS

_OF_IMAGES = ("manifest.json", "index.json")
"""Entries of every archive of an image, and of no export."""


class _Exported(Paths):
    """The paths of a train whose root folder takes the place of `/opt`."""

    @property
    def opt(self) -> Path:
        return self.root


class _Recipient(NamedTuple):
    """The owner of one envelope: a station or the user."""

    name: str
    key: PublicKey
    envelope: bytes


def decrypt_results(
    source: Path,
    output: Path,
    *,
    key: Path,
    password_file: Path | None,
    station: str | None,
    paillier_key: Path | None,
    report: Report,
) -> None:
    """Decrypt the results of a train and verify them, its definition and its chain.

    Args:
        source: a tar that `pht export` wrote, the folder that such a tar holds, one that holds it
            as `opt`, or an image in an archive; archives may be compressed.
        output: a new or empty folder for the results.
        key: file of the private key, `password_file` of its password.
        station: the id of the station whose key it is, or None for the user's.
        paillier_key: file of the user's Paillier private key, to decrypt numbers in the results.

    Raises:
        PhtError: a part is missing or not authentic; `output` is not made.
    """
    with new_folder(output) as folder:
        private_key = private_keys.read(key, password_file)
        with _opened(source, output) as paths:
            opened = _open(paths, private_key, station, folder, output, report)
        config = opened.train.config
        if paillier_key is not None:
            numbers_key = paillier.read_private(paillier_key, config.paillier_key)
            decrypt_numbers(folder, numbers_key, report)
        sizes = [entry.stat.st_size for entry in walk(folder) if entry.has_contents]
    rows = [
        (str(number), visit.station, fingerprint(config.stations[visit.station]))
        for number, visit in enumerate(config.visits, start=1)
    ]
    show(table(("stop", "station", "fingerprint of its key (SHA-256)"), rows))
    report.info(
        f"train {config.train_id} of user {config.user_id} has made {len(config.visits)} of "
        f"{counted(len(config.stations), 'stop')}; "
        f"its results are signed by station {config.visits[-1].station}"
    )
    size = f"{counted(len(sizes), 'file')}, {counted(sum(sizes), 'byte')}"
    report.info(f"the decrypted results are in {output}: {size}")


def _open(
    paths: Paths, key: PrivateKey, station: str | None, folder: Path, output: Path, report: Report
) -> OpenedTrain:
    """Like `open_results`, but if it fails, again without the files that a desktop has left."""
    try:
        return open_results(paths, key, station, folder, report)
    except (IntegrityError, MalformedTrain):
        others = desktop_files(read(read_config(paths)), paths)
        if not others:
            raise
    shutil.rmtree(folder)
    folder.mkdir()
    with private_folder(output) as copy:
        opened = open_results(copy_without(others, paths, copy), key, station, folder, report)
    for file in others[:LISTED_PROBLEMS]:
        report.warning(f"passed over {file}, which a desktop has left")
    if len(others) > LISTED_PROBLEMS:
        report.warning(f"passed over {len(others) - LISTED_PROBLEMS} more such files")
    return opened


def open_results(
    paths: Paths, key: PrivateKey, station: str | None, folder: Path, report: Report
) -> OpenedTrain:
    """Write the verified plaintext of a train's results to `folder`, which is private and empty.

    Raises:
        PhtError: as `decrypt_results`; the contents of `folder` are then not verified.
    """
    refuse_links(paths.config, paths.train, paths.results)
    if not paths.config.is_file():
        raise _missing("the source holds no train_config.json")
    config = read(read_config_allowing_links(paths))
    recipient = _recipient(config, station)
    if not same_key(recipient.key, key.public_key()):
        raise SettingsError(
            "key-of-someone-else",
            f"the private key does not belong to the public key of {recipient.name} on this train",
            hint="give the key of the user, or with --station ID that of a station",
        )
    symmetric_key = open_envelope(key, recipient.envelope, config.cipher)
    with _files_named():
        train = _verified(config, symmetric_key, paths)
        if not paths.results.is_dir():
            raise _missing("the results are not in the source")
        target = Target(plain=folder, small=None, backup=None)
        opened = decrypt(train, paths.results, target=target)
    _report_verified(config, paths, report)
    _name_links(folder, report)
    return opened


@contextmanager
def _files_named() -> Iterator[None]:
    """Name the files that do not decrypt in the error of the block.

    A visit never names them, since a forger could learn from it; at a desk no forger reads the
    error. In the route generation a change inside a file, or in the list of files, shows only in
    the hash of all files.
    """
    try:
        yield
    except ResultsUnverified as error:
        if error.folder is None:
            raise
        problems = [f"{error.folder}/{path} does not decrypt" for path in error.undecryptable]
        raise IntegrityError(
            error.code,
            f"the files of {error.folder} are not what was sealed",
            hint="get the train again, and change nothing in its folder; if no file decrypts, its "
            "envelope holds another key: tell the last station",
            problems=problems
            or ["every file decrypts, but one was changed, added, removed or renamed"],
        ) from None


@contextmanager
def _opened(source: Path, output: Path) -> Iterator[Paths]:
    """Yield the paths of the train in a folder, or in an archive that is unpacked for the block."""
    if source.is_dir():
        yield _paths(source)
    elif source.is_file():
        with private_folder(output) as folder:
            yield _paths(_unpacked(source, folder))
    else:
        raise _missing(f"there is no file or folder {source}")


def _unpacked(source: Path, folder: Path) -> Path:
    """Return a folder in `folder` with the train in an export or in the archive of an image."""
    unpacked, layers = folder / "train", folder / "layers"
    unpacked.mkdir()  # the archive may change the mode of this folder
    with open_archive(source) as tar:
        is_image = any(info.name in _OF_IMAGES for info in members(tar))
    if is_image:
        layers.mkdir()
        with source.open("rb") as file:
            unpack_train(file, layers, unpacked)
    else:
        unpack(source, unpacked)
    return unpacked


def _paths(folder: Path) -> Paths:
    exported = _Exported(folder)
    return exported if exported.config.exists() else Paths(folder)


def _recipient(config: TrainConfig, station: str | None) -> _Recipient:
    if station is not None and station not in config.stations:
        problem, ids = not_on_route(config, station)
        hint = f"check --station; {ids}"
        raise UsageError("station-not-on-route", problem, hint=hint)
    envelope = config.user_envelope if station is None else config.envelope(station)
    if config.result_hash is None or envelope is None:
        raise RouteError(
            "no-results-yet",
            "the train has not visited any station, so there are no results",
            hint="decrypt it after a visit",
        )
    if station is None:
        return _Recipient("the user", config.user_key, envelope)
    return _Recipient(f'station "{station}"', config.stations[station], envelope)


def _verified(config: TrainConfig, key: bytes, paths: Paths) -> VerifiedTrain:
    """Verify the definition and the chain, and the immutable files if they are there."""
    if paths.train.is_dir():
        return verify(config, paths.train, key, anchors=NO_ANCHORS)
    verify_signatures(config)
    return VerifiedTrain(config=config, key=key, trust=NO_ANCHORS.judge(config))


def _report_verified(config: TrainConfig, paths: Paths, report: Report) -> None:
    if paths.train.is_dir():
        files = counted(len(config.files), "immutable file")
        report.info(f"verified: {files}, as signed by the user")
    else:
        report.warning("there is no pht_train in the source: the immutable files are not checked")
    report.info(f"verified: {counted(len(config.visits), 'signature')} of stations")


def _name_links(folder: Path, report: Report) -> None:
    """Warn about every link: the signatures do not cover links."""
    for entry in walk(folder):
        if entry.kind is Kind.SYMLINK:
            report.warning(f"the link {entry.path} is not covered by any signature")


def _missing(problem: str) -> MissingInput:
    return MissingInput(
        "source-incomplete",
        problem,
        hint="give a tar of `pht export`, an image as `docker save` writes it, or a folder with "
        "train_config.json and pht_results",
    )
