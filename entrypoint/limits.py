"""Bounds of everything that is read or waited for, with their units."""

CONFIG_BYTES = 16 * 1024 * 1024
"""Largest train_config.json that is read, in bytes: 1,000 stops need about 3 MB."""

USER_KEY_BYTES = 4 * 1024
"""Largest user_sym_key.key that is read, in bytes: for the longest RSA key it has 1 KiB."""

CONFIG_DEPTH = 32
"""Deepest nesting of arrays and objects in train_config.json; published peers write 4."""

CONFIG_PROBLEMS = 20
"""At most so many problems of one configuration are listed, in lines."""

ROUTE_STOPS = 10_000
"""Most stops of a route: with a key of 2048 bits, 16 MiB hold fewer that could be visited."""

SETTINGS_BYTES = 1024 * 1024
"""Largest file of the station folder, and largest file with a key, that is read, in bytes."""

DATA_ENTRIES = 1000
"""At most so many entries of a folder of data are looked at, whether the train can read them."""

SESSION_ID_BYTES = 64
"""Length of the session id, in bytes."""

SHA512_BYTES = 64
"""Length of every hash of the protocol, in bytes."""

RSA_BITS_MIN = 2048
RSA_BITS_MAX = 8192
"""Accepted RSA moduli, in bits: below is breakable, above stalls the visit."""

RSA_EXPONENT = 65537
"""The accepted public exponent: smaller ones have weaknesses, larger ones serve nothing."""

PASSWORD_BYTES = 1023
"""Longest password of a private key, in bytes: more cannot be encrypted with."""

CHUNK_BYTES = 72 * 1024
SEALED_CHUNK_BYTES = CHUNK_BYTES // 3 * 4
"""How much of a file is handled at once, in bytes, and of an encrypted one, which base64 makes
longer: what is made of it fits into the cache of a processor, and the allocator keeps it instead of
returning it to the kernel after every chunk."""

WRITE_BYTES = 1024 * 1024
"""How much of a large file is written at once, in bytes: a call to the kernel costs more than the
copying that it saves."""

PASSING_BYTES = 16 * 1024 * 1024
"""How much of a large file may be in the page cache behind the place that is read or written, in
bytes: the disk lags behind the kernel."""

SMALL_FILE_BYTES = 1024 * 1024
"""Below this size, in bytes, a file is handled whole, in a pack with others; from it on it is
streamed."""

SEAL_BATCH_BYTES = 64 * 1024 * 1024
"""Sealed files are made durable and put in place in batches of about this size, because one flush
a batch is far cheaper than one a file. Two batches at most are extra disk space."""

STOP_GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL for a train that is told to stop; engines grant 10."""

REAP_LIMIT_S = 10.0
"""Seconds after which processes of the train that survive SIGKILL are reported."""

LOG_CHARACTERS = 4096
"""Longest text of one log line; a configuration can hold names of megabytes."""

LOG_TAIL_BYTES = 64 * 1024
LOG_TAIL_LINES = 20
"""How much of the end of a station's log `simulate` reads, and shows of it when a visit fails."""

FOLDER_PATH_BYTES = 1024
"""Longest path of a folder within a train's tree, in bytes. What lies deeper is not walked: the
kernel takes whole paths of up to 4096, and Python 1,000 calls within each other."""

IMAGE_ADDRESS = 255
"""Longest name of an image, without its tag, that Docker reads, in characters."""
