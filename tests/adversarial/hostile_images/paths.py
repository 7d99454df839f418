"""Layers that reach beyond the places of a train."""

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import EVIL, above, symlink, with_entries
from tests.archives import entry, folder

INSIDE = with_entries(entry("opt/pht_train/more.py", EVIL))


def elsewhere(name: str, effect: str, path: str) -> Case:
    """Return a case with a file in another place."""
    return Case(
        name=name,
        effect=effect,
        hostile=with_entries(entry(path, EVIL)),
        twin=INSIDE,
        code="path-outside",
        where=path,
    )


PATHS = (
    elsewhere("runner-replaced", "replaces the runner", "usr/runner"),
    elsewhere("file-added", "adds a program", "usr/bin/more"),
    elsewhere("preload-file", "loads a library into every program", "etc/ld.so.preload"),
    elsewhere("module-of-interpreter", "adds a module to Python", "usr/lib/python3/site.py"),
    elsewhere("key-planted", "brings a station key of its own", "run/pht/private_key.pem"),
    elsewhere("settings-planted", "brings settings of a station", "run/pht/station.env"),
    elsewhere("ledger-planted", "brings a ledger", "var/lib/pht/entry.json"),
    elsewhere("data-planted", "brings data in the place of the station's", "opt/train_data/x"),
    elsewhere("beside-train", "uses a place whose name begins like one", "opt/pht_train_of_evil"),
    elsewhere("beside-key", "uses a place whose name begins like one", "opt/user_sym_key.key2"),
    elsewhere("other-case", "uses a place that only looks like one", "OPT/pht_train/x"),
    elsewhere("root-of-image", "adds a file at the root", "evil"),
    Case(
        name="folder-of-master-opened",
        effect="lets every user write to a folder of the master",
        hostile=with_entries(folder("usr", mode=0o777)),
        twin=with_entries(folder("opt/pht_train/usr", mode=0o777)),
        code="path-outside",
        where="usr/",
    ),
    Case(
        name="root-opened",
        effect="lets every user write to the root folder",
        hostile=with_entries(folder(".", mode=0o777)),
        twin=with_entries(folder("opt/pht_train/more", mode=0o777)),
        code="path-outside",
        where="./",
    ),
    Case(
        name="opt-opened",
        effect="lets every user write to /opt",
        hostile=above(folder("opt", mode=0o777)),
        twin=above(folder("opt/pht_results", mode=0o777)),
        code="folder-changed",
        where="opt",
    ),
    Case(
        name="opt-given-away",
        effect="gives /opt to another user",
        hostile=above(folder("opt", uid=1000, gid=1000)),
        twin=above(folder("opt/pht_train", uid=1000, gid=1000)),
        code="folder-changed",
        where="opt",
    ),
    Case(
        name="opt-is-link",
        effect="lets /opt be another folder",
        hostile=above(symlink("opt", "tmp")),
        twin=above(symlink("opt/pht_train/link", "train.py")),
        code="kind-refused",
        where="opt",
    ),
    Case(
        name="config-is-folder",
        effect="has a folder in the place of train_config.json",
        hostile=above(entry("opt/train_config.json/x", EVIL)),
        twin=above(entry("opt/pht_results/train_config.json/x", EVIL)),
        code="path-outside",
        where="opt/train_config.json/x",
    ),
)
