"""Entries that are more than files: links, devices, rights, attributes, deletions."""

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import EVIL, above, symlink, with_entries
from tests.archives import HARD_LINK, entry, folder

X = "opt/pht_train/x"
ATTRIBUTE = "SCHILY.xattr."


def one(name: str, effect: str, hostile: bytes, twin: bytes, code: str, where: str = X) -> Case:
    """Return a case of one entry."""
    return Case(
        name=name,
        effect=effect,
        hostile=above(hostile),
        twin=above(twin),
        code=code,
        where=where,
    )


def attribute(
    name: str, effect: str, keyword: str, value: str | bytes, code: str = "attribute-refused"
) -> Case:
    """Return a case of an extended attribute; the twin has another PAX record."""
    return one(
        name,
        effect,
        entry(X, EVIL, pax={keyword: value}),
        entry(X, EVIL, pax={"mtime": "1.5"}),
        code,
    )


def hard_link(target: str) -> bytes:
    """Return the entry of a hard link."""
    return entry(X, kind=HARD_LINK, link=target.encode())


def device(kind: bytes) -> bytes:
    """Return the entry of a device: the memory of the machine, or its first disk."""
    return entry(X, kind=kind, at_329=b"0000001\0", at_337=b"0000001\0")


def deletion(
    name: str, effect: str, path: str, twin: bytes, code: str = "whiteout-outside"
) -> Case:
    """Return a case of a whiteout."""
    return one(name, effect, entry(path), twin, code, path)


FILE = entry(X, EVIL)
LINKED = entry("opt/pht_train/file", EVIL) + hard_link("opt/pht_train/file")

LINKS = (
    one(
        "link-absolute",
        "links to a file of the station",
        symlink(X, "/run/pht/private_key.pem"),
        symlink(X, "/opt/pht_train/train.py"),
        "link-outside",
    ),
    one(
        "link-relative",
        "links out of the train's folder by dots",
        symlink(X, "../../usr/bin/python3"),
        symlink(X, "../pht_train/train.py"),
        "link-outside",
    ),
    one(
        "link-too-far-up",
        "links out by way of the root folder",
        symlink(X, "../../../../../../opt/../etc/passwd"),
        symlink(X, "train.py"),
        "link-outside",
    ),
    one(
        "link-to-proc",
        "links to the memory of the runner",
        symlink(X, "/proc/1/root"),
        symlink(X, "./train.py"),
        "link-outside",
    ),
    one(
        "train-is-link",
        "is another folder than the one that is verified",
        symlink("opt/pht_results", "/usr"),
        folder("opt/pht_results"),
        "kind-refused",
        "opt/pht_results",
    ),
    one(
        "config-is-link",
        "is another file than the one that is verified",
        symlink("opt/user_sym_key.key", "/etc/passwd"),
        entry("opt/user_sym_key.key", EVIL),
        "kind-refused",
        "opt/user_sym_key.key",
    ),
    one(
        "hard-link-out",
        "gives a file of the master a second name, under which it can be changed",
        hard_link("etc/passwd"),
        LINKED,
        "link-outside",
    ),
    one(
        "hard-link-up",
        "links to a file by dots",
        hard_link("opt/pht_train/../../etc/passwd"),
        LINKED,
        "link-outside",
    ),
    Case(
        name="through-link",
        effect="writes through a link of its own",
        hostile=with_entries(symlink(X, "/"), entry(f"{X}/evil", EVIL)),
        twin=with_entries(folder(X), entry(f"{X}/evil", EVIL)),
        code="link-outside",
        where=X,
    ),
)

KINDS = (
    one("memory-device", "brings the machine's memory", device(b"3"), FILE, "kind-refused"),
    one("disk-device", "brings the machine's disk", device(b"4"), FILE, "kind-refused"),
    one(
        "named-pipe",
        "brings a pipe, which blocks who reads it",
        entry(X, kind=b"6"),
        FILE,
        "kind-refused",
    ),
    one(
        "set-user-id", "runs as root whoever starts it", entry(X, EVIL, mode=0o4755), FILE, "set-id"
    ),
    one("set-group-id", "runs in root's group", entry(X, EVIL, mode=0o2755), FILE, "set-id"),
    one(
        "set-group-id-folder",
        "gives its files to a group",
        folder(X, mode=0o2777),
        folder(X, mode=0o777),
        "set-id",
    ),
    one(
        "mode-with-kind",
        "hides set-id bits in a mode of base 256",
        entry(X, EVIL, at_100=b"\x80\0\0\0\0\0\x09\xed"),
        entry(X, EVIL, mode=0o755),
        "set-id",
    ),
    one(
        "unknown-kind",
        "is of a kind that readers take differently",
        entry(X, kind=b"Z"),
        FILE,
        "entry-unclear",
    ),
    one(
        "contiguous",
        "is a file for some readers only",
        entry(X, EVIL, kind=b"7"),
        FILE,
        "entry-unclear",
    ),
    one(
        "volume-label", "is of a kind that readers skip", entry(X, kind=b"V"), FILE, "entry-unclear"
    ),
)

ATTRIBUTES = (
    attribute(
        "file-capability",
        "has the rights of root as a file",
        f"{ATTRIBUTE}security.capability",
        bytes.fromhex("0100000200000020000000000000000000000000"),
    ),
    attribute(
        "file-capability-of-libarchive",
        "has the rights of root as a file, written in another way",
        "LIBARCHIVE.xattr.security.capability",
        "AQAAAgAAACAAAAAAAAAAAAAAAAA=",
        "entry-unclear",
    ),
    attribute(
        "overlay-redirect",
        "lets the engine's file system show another folder",
        f"{ATTRIBUTE}trusted.overlay.redirect",
        "/etc",
    ),
    attribute(
        "overlay-opaque",
        "lets the engine's file system hide what lies below",
        f"{ATTRIBUTE}trusted.overlay.opaque",
        "y",
    ),
    attribute(
        "access-list",
        "has a list of who may write",
        "SCHILY.acl.access",
        "user:1000:rwx",
        "entry-unclear",
    ),
    one(
        "access-list-of-master",
        "lets the train's user change what is made later in a folder of the master",
        folder("etc", pax={f"{ATTRIBUTE}system.posix_acl_default": b"\2\0\0\0"}),
        folder("opt/pht_train", pax={f"{ATTRIBUTE}system.posix_acl_default": b"\2\0\0\0"}),
        "attribute-refused",
        "etc",
    ),
)

DELETION = entry("opt/.wh.user_sym_key.key")

WHITEOUTS = (
    deletion("deletes-interpreter", "deletes a program", "usr/.wh.runner", FILE),
    deletion("deletes-opt", "deletes /opt", ".wh.opt", DELETION),
    deletion("deletes-beside", "deletes below /opt", "opt/.wh.more", DELETION),
    deletion(
        "opaque-opt",
        "hides all that the master has below /opt",
        "opt/.wh..wh..opq",
        entry("opt/pht_results/.wh..wh..opq"),
    ),
    deletion("opaque-root", "hides the whole master", ".wh..wh..opq", FILE),
    deletion(
        "deletes-parent", "deletes the folder above", "opt/pht_train/.wh...", FILE, "path-unclear"
    ),
    deletion(
        "deletes-itself",
        "deletes the folder that it is in",
        "opt/pht_train/.wh..",
        FILE,
        "path-unclear",
    ),
    deletion(
        "deletes-nothing",
        "deletes a file without a name",
        "opt/pht_train/.wh.",
        FILE,
        "path-unclear",
    ),
    deletion(
        "link-store",
        "uses a store of links of older engines",
        ".wh..wh.plnk/1.2",
        FILE,
        "path-outside",
    ),
)
