"""The names of all settings, grouped by how the program treats them, and of files beside them."""

KEY_VALUES = ("RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY")
"""Hold the station's private key as hex; older documentation misspelled the first as the second."""

KEY_FILES = ("RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH")
PASSWORD = "PRIVATE_KEY_PASSWORD"
PASSWORD_FILES = ("PRIVATE_KEY_PASSWORD_FILE",)

SECRET_VALUES = (*KEY_VALUES, PASSWORD)
"""Variables that hold a secret themselves, not the path of its file."""

SECRET = frozenset({*KEY_VALUES, *KEY_FILES, PASSWORD, *PASSWORD_FILES})
"""The key and its password: never passed on to the train and never shown."""

FROM_STATION_FOLDER = frozenset(
    {"PHT_COMMAND", "PHT_TRAIN_USER", "PHT_ALLOW_UNPROTECTED_KEY", "PHT_TRUST", "PHT_REPLAY"}
)
"""Decide how the station is protected, so in a container they count only from its folder."""

KNOWN = FROM_STATION_FOLDER | {
    *("PHT_TIMEOUT", "PHT_LOG", "PHT_EXPORT", "PHT_HOST_PROTOCOL", "PHT_EXPECT_TRAIN")
}
"""All `PHT_` settings; any other name with this prefix is an error."""

NOT_BUILT = frozenset({"PHT_NETWORK"})
"""Planned settings, refused so that nobody relies on them."""

FREE_TEXT = frozenset({"STATION_ID", "TRAIN_DATA_PATH", "PHT_EXPECT_TRAIN"})
"""Settings whose value may contain ` #`, such as an id of one's own choice."""

UNQUOTED = KNOWN | FREE_TEXT | SECRET - {PASSWORD}
"""Settings whose value has no quotes, surrounding blanks or trailing comment (`station_env`)."""

LOADING_CODE = ("LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""Variables of an image that make the loader, the C library or Python run code before any program.

`LD_LIBRARY_PATH` is not among them: images for CUDA need theirs (`container_rules`)."""

_FINDING_LIBRARIES = ("LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES")

EMPTY_IS_UNSET = SECRET | {"STATION_ID", *LOADING_CODE, *_FINDING_LIBRARIES}
"""Variables that count as not set if they are empty, as all that begin with `PHT_` do."""

# Docker and Kubernetes set these for a service that happens to be called pht or pht-….
SERVICE_LINK = (
    r"PHT_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?"
    r"|NAME|ENV_\w+)"
)

ENV_FILE = "station.env"
TRUST_FILE = "trust"
MASTERS_FILE = "masters.json"

NO_IDENTITY = (ENV_FILE, TRUST_FILE, MASTERS_FILE)
"""The files of the station folder that tell nobody which station this is."""
