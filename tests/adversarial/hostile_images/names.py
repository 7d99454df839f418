"""Names that readers of tar archives read differently, or that lead elsewhere."""

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import EVIL, symlink, with_entries
from tests.archives import GNU, entry, folder, long_name, pax_header

SAFE, TARGET = "opt/pht_train/x", "usr/bin/python3"
LONG = "opt/pht_train/" + "x" * 120

NAMES = (
    Case(
        name="dot-dot",
        effect="climbs out of the train's folder",
        hostile=with_entries(entry("opt/pht_train/../../usr/bin/python3", EVIL)),
        twin=with_entries(entry("opt/pht_train/..usr/python3", EVIL)),
        code="path-unclear",
        where="opt/pht_train/../../usr/bin/python3",
    ),
    Case(
        name="absolute",
        effect="names an absolute path",
        hostile=with_entries(entry("/usr/bin/python3", EVIL)),
        twin=with_entries(entry(TARGET.replace("usr", "opt/pht_train"), EVIL)),
        code="path-outside",
        where="/usr/bin/python3",
    ),
    Case(
        name="absolute-inside",
        effect="names the train's folder by an absolute path, which readers take differently",
        hostile=with_entries(entry("/opt/pht_train/x", EVIL)),
        twin=with_entries(entry(SAFE, EVIL)),
        code="path-outside",
        where="/opt/pht_train/x",
    ),
    Case(
        name="twice",
        effect="has a path twice, so that readers may take the first or the last",
        hostile=with_entries(entry(SAFE, b"one"), entry(SAFE, b"two")),
        twin=with_entries(entry(SAFE, b"one"), entry(SAFE + "2", b"two")),
        code="path-twice",
        where=SAFE,
    ),
    Case(
        name="twice-by-dot",
        effect="has a path twice, once with a dot in it",
        hostile=with_entries(entry(SAFE, b"one"), entry("opt/pht_train/./x", b"two")),
        twin=with_entries(entry(SAFE, b"one"), entry("opt/pht_train/.x", b"two")),
        code="path-unclear",
        where="opt/pht_train/./x",
    ),
    Case(
        name="gnu-long-name",
        effect="has a harmless name, and a GNU long name in front that counts instead",
        hostile=with_entries(long_name(TARGET.encode()), entry(SAFE, EVIL, magic=GNU)),
        twin=with_entries(long_name(LONG.encode()), entry(LONG[:100], EVIL, magic=GNU)),
        code="path-outside",
        where=TARGET,
    ),
    Case(
        name="gnu-long-target",
        effect="has a harmless target, and a GNU long target in front that counts instead",
        hostile=with_entries(long_name(b"/etc/shadow", b"K"), symlink(SAFE, "train.py")),
        twin=with_entries(long_name(b"train.py", b"K"), symlink(SAFE, "train.py")),
        code="link-outside",
        where=SAFE,
    ),
    Case(
        name="long-link-with-nul",
        effect="is a link to the folder above for readers who stop at a NUL, and writes through it",
        hostile=with_entries(
            long_name(b"..\0/x", b"K"), symlink(SAFE, "x"), entry(f"{SAFE}/x", EVIL)
        ),
        twin=with_entries(long_name(b"../pht_train/x", b"K"), symlink(SAFE, "x")),
        code="entry-unclear",
        where=SAFE,
    ),
    Case(
        name="pax-path",
        effect="has a harmless name, and a PAX record that counts instead",
        hostile=with_entries(entry(SAFE, EVIL, pax={"path": TARGET})),
        twin=with_entries(entry(LONG[:100], EVIL, pax={"path": LONG})),
        code="path-outside",
        where=TARGET,
    ),
    Case(
        name="pax-target",
        effect="has a harmless target, and a PAX record that counts instead",
        hostile=with_entries(pax_header({"linkpath": "/etc/shadow"}), symlink(SAFE, "train.py")),
        twin=with_entries(pax_header({"linkpath": "train.py"}), symlink(SAFE, "train.py")),
        code="link-outside",
        where=SAFE,
    ),
    Case(
        name="pax-for-all",
        effect="has a PAX record for all entries, which Python follows and Docker does not",
        hostile=with_entries(pax_header({"path": SAFE}, b"g"), entry("opt/pht_train/y", EVIL)),
        twin=with_entries(pax_header({"path": SAFE}, b"x"), entry("opt/pht_train/y", EVIL)),
        code="path-outside",
        where="PaxHeaders/0",
    ),
    Case(
        name="pax-size",
        effect="hides an entry in the content of another one",
        hostile=with_entries(pax_header({"size": "0"}), entry(SAFE, entry(TARGET, EVIL))),
        twin=with_entries(pax_header({"size": "1024"}), entry(SAFE, entry(TARGET, EVIL))),
        code="path-outside",
        where=TARGET,
    ),
    Case(
        name="pax-and-gnu",
        effect="has two long names for one entry, of which readers take either",
        hostile=with_entries(
            pax_header({"path": TARGET}), long_name(SAFE.encode()), entry("x", EVIL)
        ),
        twin=with_entries(pax_header({"path": SAFE}), entry("x", EVIL)),
        code="entry-unclear",
        where=SAFE,
    ),
    Case(
        name="pax-twice",
        effect="has two PAX headers for one entry, of which readers take either",
        hostile=with_entries(
            pax_header({"path": TARGET}), pax_header({"path": SAFE}), entry("x", EVIL)
        ),
        twin=with_entries(pax_header({"path": SAFE}), entry("x", EVIL)),
        code="entry-unclear",
        where=SAFE,
    ),
    Case(
        name="pax-zero-byte",
        effect="has a zero byte in a name, where some readers end it",
        hostile=with_entries(entry("x", EVIL, pax={"path": SAFE + "\0/../../../usr/bin/python3"})),
        twin=with_entries(entry("x", EVIL, pax={"path": SAFE})),
        code="path-unclear",
        where=SAFE,
    ),
    Case(
        name="gnu-sparse-name",
        effect="has a PAX record of sparse files that counts as the name",
        hostile=with_entries(
            entry(
                SAFE,
                b"0\n".ljust(512, b"\0"),
                pax={
                    "GNU.sparse.major": "1",
                    "GNU.sparse.minor": "0",
                    "GNU.sparse.name": TARGET,
                    "GNU.sparse.realsize": "0",
                },
            )
        ),
        twin=with_entries(entry(SAFE, b"0\n".ljust(512, b"\0"), pax={"comment": TARGET})),
        code="entry-unclear",
        where=SAFE,
    ),
    Case(
        name="gnu-sparse-kind",
        effect="is a sparse file of the old kind, whose size readers take differently",
        hostile=with_entries(entry(SAFE, EVIL, kind=b"S", magic=GNU)),
        twin=with_entries(entry(SAFE, EVIL, magic=GNU)),
        code="layer-unreadable",
        where="layer 3",
    ),
    Case(
        name="prefix",
        effect="has the beginning of its name in another field",
        hostile=with_entries(entry("python3", EVIL, at_345=b"usr/bin")),
        twin=with_entries(entry("x", EVIL, at_345=b"opt/pht_train")),
        code="path-outside",
        where=TARGET,
    ),
    Case(
        name="prefix-of-gnu",
        effect="has a field that is the beginning of the name for some readers only",
        hostile=with_entries(entry(SAFE, EVIL, at_345=b"usr", magic=GNU)),
        twin=with_entries(entry(SAFE, EVIL, magic=GNU)),
        code="entry-unclear",
        where=SAFE,
    ),
    Case(
        name="file-with-slash",
        effect="is a file whose name ends like a folder's",
        hostile=with_entries(entry("opt/pht_train/x/", b"", kind=b"\0")),
        twin=with_entries(folder("opt/pht_train/x")),
        code="path-unclear",
        where=SAFE,
    ),
    Case(
        name="no-magic",
        effect="has a header of before POSIX, whose further fields readers take differently",
        hostile=with_entries(entry(SAFE, EVIL, magic=b"\0" * 8, at_345=b"usr")),
        twin=with_entries(entry(SAFE, EVIL)),
        code="layer-unreadable",
        where="layer 3",
    ),
)
