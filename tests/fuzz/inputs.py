"""Inputs of the fuzz target, made of hostile images and of unusual honest ones."""

from random import Random

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import Image, symlink
from tests.archives import GNU, HARD_LINK, entry, folder, long_name


def inputs(case: Case) -> dict[str, bytes]:
    """Return what a hostile image and its twin give to begin with, by names of files."""
    found = {}
    for what, image in (("hostile", case.hostile), ("honest", case.twin)):
        name = f"{case.name}-{what}"
        if isinstance(image, Image):
            found[f"{name}-config"] = b"\2" + image.config
            found |= {f"{name}-layer": b"\1" + layer for layer in image.layers[-1:]}
        else:
            found[name] = b"\4" + image
    return found


def unusual_entries(random: Random, where: str) -> list[bytes]:
    """Return entries below a folder, with names and kinds in every form that engines read alike."""
    made = [folder(where)]
    for number in range(random.randrange(8)):
        content = random.randbytes(random.choice([0, 1, 511, 512, 513]))
        first = f"{where}/{number}".encode()
        named = first + random.choice([b"", b" ", b"\xff", "é".encode()])
        long = first + b"-" + b"n" * random.randrange(90, 200)
        made += random.choice(
            [
                [entry(named, content)],
                [entry(named[:20], content, pax={"path": named, "mtime": "1.5"})],
                [entry(b"x/", content, pax={"path": long})],
                [long_name(long), entry(long[:100], content, magic=GNU)],
                [entry(first.rpartition(b"/")[2], content, at_345=where.encode())],
                [folder(f"{where}/{number}", mode=random.choice([0o700, 0o1777]))],
                [symlink(f"{where}/{number}", random.choice(["x", "./y", "/opt/pht_train/z"]))],
                [entry(first, content), entry(first + b"-2", kind=HARD_LINK, link=first)],
            ]
        )
    return made
