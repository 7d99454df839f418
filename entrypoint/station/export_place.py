"""Checks that an export can be written, before the visit that it will contain."""

import re
from pathlib import Path

from entrypoint.errors import MissingInput, SettingsError, StorageError
from entrypoint.linux.durable import flush_file
from entrypoint.linux.mounts import mount_of
from entrypoint.linux.user import this_user
from entrypoint.model import Paths
from entrypoint.station.part_file import locked_part, part_of, refuse_existing

_SYSTEM_FOLDER = re.compile(r"/(etc|usr|bin|sbin|lib[^/]*|run|dev|proc|sys)/")
"""Folders in which an image's VOLUME could do harm; gVisor does not report the root of a mount."""


def check_place(paths: Paths, output: Path, *, in_container: bool) -> None:
    """Check that `output` can be made.

    Raises:
        MissingInput: there is no folder for it.
        SettingsError: it would lie in the train, or vanish with the container.
        StorageError: the file exists already, another export is writing it, or this user cannot
            write there.
    """
    refuse_existing(output)
    _check_outside(paths, output)
    if not output.parent.is_dir():
        raise MissingInput(
            "output-folder-missing",
            f"the folder of {output} does not exist",
            hint="make the folder first, or mount it",
        )
    if in_container:
        _check_mount(paths, output)
    part = part_of(output)
    if part.is_symlink() or not part.is_file():
        refuse_existing(part)
    _try_to_write(output)


def _check_outside(paths: Paths, output: Path) -> None:
    """Refuse a place where the file would change the train that was just sealed, or the ledger.

    Names of work files begin with those of the train's files and folders, so they count too.
    """
    place, opt = output.parent.resolve() / output.name, paths.opt.resolve()
    names = (paths.results, paths.train, paths.config, paths.user_key)
    if str(place).startswith(tuple(str(opt / path.name) for path in names)):
        raise SettingsError(
            "output-inside-train",
            f"{output} lies among the files of the train itself",
            hint="name a file in another folder",
        )
    if place.is_relative_to(paths.ledger.resolve()):  # it would be a damaged entry
        raise _not_for_exports(output, "belongs to the station's ledger")


def _check_mount(paths: Paths, output: Path) -> None:
    """Refuse a place that is not on a mount of the operator's.

    An image can set the place too, and mount a VOLUME there. A file in the container or in an
    anonymous volume is lost with the container; at worst every later program of the container
    reads it, as /etc/ld.so.preload.
    """
    mount = mount_of(output.parent)
    if where := mount.volatile_storage:
        raise SettingsError(
            "output-in-memory",
            f"the folder of {output} is {where} and vanishes with the container",
            hint="name a file in a folder that is mounted from the host; if runsc lays its overlay "
            "over that too, start it with --overlay2=none",
        )
    own = mount.id in {mount_of(paths.root).id, mount_of(paths.opt).id}
    if own or mount.is_anonymous_volume:
        raise _not_for_exports(output, "is part of the container and would go with it")
    if _SYSTEM_FOLDER.match(f"{output.parent.resolve()}/"):
        raise _not_for_exports(output, "belongs to the system, whose programs read files there")


def _not_for_exports(output: Path, reason: str) -> SettingsError:
    return SettingsError(
        "output-in-container",
        f"the folder of {output} {reason}",
        hint="mount a folder of the host or a named volume for it, as with "
        "--volume /srv/trains:/out, and name a file in there",
    )


def _try_to_write(output: Path) -> None:
    """Write a byte durably and remove it, together with the file that a killed export has left.

    Permissions do not suffice: a share may be full, or refuse what they allow.
    """
    try:
        with locked_part(output) as file:
            file.write(b"\0")
            flush_file(file)
    except OSError as error:
        raise StorageError(
            "output-folder-unwritable",
            f"{this_user()} cannot write to the folder of {output.name}, {output.parent}: "
            f"{(error.strerror or 'it refuses').lower()}",
            hint="mount it writable, let this user write there, and free space",
        ) from None
