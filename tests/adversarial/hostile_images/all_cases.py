"""All hostile archives, by the chapters of the table in the documents."""

from collections.abc import Mapping, Sequence

from tests.adversarial.hostile_images.archives import LAYOUTS, MANIFESTS, READERS
from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.configs import SETTINGS, TEXTS
from tests.adversarial.hostile_images.kinds import ATTRIBUTES, KINDS, LINKS, WHITEOUTS
from tests.adversarial.hostile_images.layers import ENDS, MASTERS, PARTS
from tests.adversarial.hostile_images.names import NAMES
from tests.adversarial.hostile_images.paths import PATHS

CHAPTERS: Mapping[str, Sequence[Case]] = {
    "Other layers than the master's": MASTERS,
    "Places beyond the train's": PATHS,
    "Names": NAMES,
    "Links": LINKS,
    "Kinds, rights and attributes": (*KINDS, *ATTRIBUTES),
    "Deletions": WHITEOUTS,
    "Damaged layers": (*ENDS, *PARTS),
    "Configuration": (*SETTINGS, *TEXTS),
    "Archives": (*MANIFESTS, *READERS, *LAYOUTS),
}

CASES = [case for cases in CHAPTERS.values() for case in cases]
