"""`pht create`: makes a signed train of a folder of files and the stations' public keys."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.author import paillier, private_keys
from entrypoint.author.dockerfile import DOCKERFILE, write_dockerfile
from entrypoint.author.output import check_apart, new_folder
from entrypoint.author.signed_train import Definition, Signers, check_unique, sign_train
from entrypoint.crypto.key_files import read_public_key
from entrypoint.crypto.keys import PublicKey, fingerprint
from entrypoint.model import Paths
from entrypoint.report import Report, counted, show, table
from entrypoint.train_config import TrainConfig, compared_with_master, immutable_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that an author says of a train to be signed.

    Attributes:
        train: the folder with its files.
        exclude, generation, user, train_id, proposal, master_image: as in `Definition`.
        user_key: file of the user's private key, `password_file` of its password.
        builder_key: file of the builder's, `builder_password_file` of its password.
        stations: ids and public key files, in the order of the route.
        paillier_key: file of the user's Paillier public key, or None.
        command: the CMD of the train's image, or empty if that is not known yet.
        workdir: the working folder of the command; None for that of the master image.
    """

    train: Path
    exclude: Sequence[str]
    generation: str
    user_key: Path
    password_file: Path | None
    builder_key: Path | None
    builder_password_file: Path | None
    user: str
    train_id: str
    stations: Sequence[tuple[str, Path]]
    paillier_key: Path | None
    proposal: str
    master_image: str
    command: Sequence[str]
    workdir: str | None


def create(request: Request, output: Path, report: Report) -> None:
    """Make `output`/opt: pht_train, an empty pht_results and the signed train_config.json.

    Beside it lies the Dockerfile of the train's image if the request has an image and a command.

    Args:
        request: the train.
        output: a new or empty folder.
        report: takes the log.

    Raises:
        PhtError: a file, key or option is missing or unsuitable; `output` is not made.
    """
    check_apart(request.train, [output])
    with new_folder(output) as folder:
        config = make_train(request, folder, report)
    if compared_with_master(request.generation) and not request.master_image:
        report.warning(
            "no --master-image: stations with the published software compare the train with that "
            "image, and refuse a train that names none"
        )
    describe(config, output, f"is in {output / 'opt'}", report)
    if (output / DOCKERFILE).exists():
        words = ["docker", "build", "--tag", "REPOSITORY:base", "--tag", "REPOSITORY:latest"]
        report.info(f"then build its image: {shlex.join([*words, str(output)])}")
    else:
        report.info(
            f"then build the train's image in {output}: FROM a master image, COPY opt /opt, "
            'CMD ["python", "/opt/pht_train/FILE"]'
        )


def make_train(request: Request, folder: Path, report: Report) -> TrainConfig:
    """Make the signed train in `folder`/opt, and the Dockerfile if its contents are known.

    Raises:
        PhtError: a file, key or option is missing or unsuitable.
    """
    user, builder, public = request.user_key, request.builder_key, request.paillier_key
    passwords = (request.password_file, request.builder_password_file)
    check_apart(request.train, (user, builder, *passwords))
    definition = Definition(
        folder=request.train,
        exclude=request.exclude,
        generation=request.generation,
        user=request.user,
        train_id=request.train_id,
        stations=_public_keys(request.stations),
        proposal=request.proposal,
        master_image=request.master_image,
        paillier_key=paillier.read_public(public, report) if public else None,
    )
    signers = Signers(
        user=private_keys.read(user, request.password_file),
        builder=private_keys.read(builder, request.builder_password_file) if builder else None,
    )
    config = sign_train(definition, signers, Paths(folder), report)
    if request.master_image and request.command:
        write_dockerfile(
            folder, request.master_image, request.command, request.workdir, config.files
        )
    return config


def _public_keys(stations: Sequence[tuple[str, Path]]) -> dict[str, PublicKey]:
    check_unique([station for station, _ in stations])
    return {station: read_public_key(path) for station, path in stations}


def describe(config: TrainConfig, folder: Path, place: str, report: Report) -> None:
    """Show a new train, and the keys of its stations, which are to be compared with theirs.

    Args:
        config: of the train.
        folder: holds its `opt`.
        place: says where it is to be found.
        report: takes the log.
    """
    rows = [(name, fingerprint(key)) for name, key in config.stations.items()]
    show(table(("station", "fingerprint of its key (SHA-256)"), rows))
    count = len(immutable_files(config, Paths(folder).train))
    session = config.session_id.hex()[:16]
    report.info(
        f"train {config.train_id} ({config.generation} generation, session {session}…) {place}: "
        f"{counted(count, 'file')}, signed by user {config.user_id}"
    )
    report.info("next, ask each station for its fingerprint and compare it with the one above")
