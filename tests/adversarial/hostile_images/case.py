"""One hostile archive and its honest twin."""

from dataclasses import dataclass

from tests.adversarial.hostile_images.images import Image, docker_archive


@dataclass(frozen=True, kw_only=True)
class Case:
    """A hostile archive, and one that differs only in that it does no harm.

    Attributes:
        name: tells the cases apart.
        effect: what it would do, for people who do not know the formats.
        hostile: the archive, or the image that `docker save` would write into one.
        twin: the honest one.
        code: of the difference, or of the error, by which it is refused.
        where: the path, the setting or the part of the archive that is named.
    """

    name: str
    effect: str
    hostile: Image | bytes
    twin: Image | bytes
    code: str
    where: str

    @property
    def archive(self) -> bytes:
        """The hostile archive."""
        return _archive(self.hostile)

    @property
    def honest(self) -> bytes:
        """The honest archive."""
        return _archive(self.twin)


def _archive(image: Image | bytes) -> bytes:
    return image if isinstance(image, bytes) else docker_archive(image)
