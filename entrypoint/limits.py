"""Limits of everything that is read, listed or waited for, and sizes of chunks and buffers."""

CONFIG_BYTES = 16 * 1024 * 1024
"""Maximum size of train_config.json, in bytes; 1,000 stops need about 3 MB."""

USER_KEY_BYTES = 4 * 1024
"""Maximum size of user_sym_key.key, in bytes; with the longest RSA key it has 1 KiB."""

CONFIG_DEPTH = 32
"""Maximum nesting of arrays and objects in train_config.json; published packages write 4."""

LISTED_PROBLEMS = 20
"""Maximum number of bad fields or files listed in one error."""

ROUTE_STOPS = 10_000
"""Maximum number of stops of a route; with keys of 2048 bits, CONFIG_BYTES has room for fewer."""

SETTINGS_BYTES = 1024 * 1024
"""Maximum size of a file of the station folder, and of any key file, in bytes."""

LEDGER_ENTRY_BYTES = 16 * 1024
"""Maximum size of an entry of the ledger, in bytes; the longest that is written has 3 KiB."""

DATA_ENTRIES = 1000
"""Maximum number of entries of a data folder checked for being readable."""

SESSION_ID_BYTES = 64
"""Length of the session id, in bytes."""

ENCRYPTED_NUMBERS_BYTES = 64 * 1024 * 1024
"""Maximum size of a result file whose numbers are decrypted with a Paillier key, in bytes."""

ENCRYPTED_NUMBERS_DEPTH = 100
"""Maximum nesting of arrays and objects in such a file."""

SHA512_BYTES = 64
"""Length of every hash of the protocol, in bytes."""

RSA_BITS_MIN = 2048
RSA_BITS_MAX = 8192
"""Accepted RSA moduli, in bits: shorter ones can be broken, longer ones make a visit very slow."""

RSA_EXPONENT = 65537
"""The only accepted public exponent: smaller ones have weaknesses, larger ones no advantage."""

PAILLIER_BITS_MIN = 128
PAILLIER_BITS_MAX = 6144
"""Accepted moduli of Paillier keys, in bits.

The users' application makes keys of 128 bits. A number encrypted under a longer key than the
maximum can have more than the 4300 digits that Python reads.
"""

PASSWORD_BYTES = 1023
"""Maximum length of a private key's password, in bytes; `cryptography` supports no longer one."""

CHUNK_BYTES = 72 * 1024
"""Size of the chunks in which plaintext is processed, in bytes.

Small enough for a CPU cache, and for the allocator to reuse buffers instead of returning them to
the kernel after every chunk.
"""

SEALED_CHUNK_BYTES = CHUNK_BYTES // 3 * 4
"""Size of the chunks in which encrypted files are processed, in bytes: CHUNK_BYTES in base64."""

WRITE_BYTES = 1024 * 1024
"""Size of the writes of a large file, in bytes: a system call costs more than the extra copy."""

CACHED_TAIL_BYTES = 16 * 1024 * 1024
"""Size of the part of a large file that stays cached behind the current position, in bytes.

The disk lags behind the kernel: pages that are not written yet cannot be dropped.
"""

SMALL_FILE_BYTES = 1024 * 1024
"""Size from which a file is streamed, in bytes; a smaller one is read whole and put into a pack."""

SEAL_BATCH_BYTES = 64 * 1024 * 1024
"""Approximate size of the batches in which sealed files replace the plaintext, in bytes.

One flush to disk a batch is far cheaper than one a file; at most two batches need extra space.
"""

STOP_GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL for a train that has to stop; engines grant 10."""

REAP_LIMIT_S = 10.0
"""Seconds after which processes of the train that survive SIGKILL are reported."""

LOG_CHARACTERS = 4096
"""Maximum length of a log line, in characters; a configuration can hold names of megabytes."""

LOG_END_BYTES = 64 * 1024
"""Size of the beginning and of the end of a visit's log that `simulate` reads, in bytes each."""

LOG_TAIL_LINES = 20
"""Maximum number of lines of that log shown by `simulate`."""

WATCH_INTERVAL_S = 0.5
"""Seconds between two looks of `simulate` at a running visit, which it shows on the screen."""

FOLDER_PATH_BYTES = 1024
"""Maximum length of a folder's path within a train, in bytes; deeper folders are not entered.

Linux accepts whole paths of up to 4096 bytes, and Python 1,000 nested calls.
"""

IMAGE_ADDRESS = 255
"""Maximum length of an image's name without its tag, in characters, as in Docker."""

IMAGE_DOCUMENT_BYTES = 1024 * 1024
"""Maximum size of a JSON document in the archive of an image, in bytes."""

IMAGE_DOCUMENTS_BYTES = 8 * 1024 * 1024
"""Maximum size of all JSON documents in the archive of an image together, in bytes.

The same maximum counts for all versions of train_config.json in its layers together.
"""

IMAGE_TRAIN_CONFIG_BYTES = 4 * 1024 * 1024
"""Maximum size of train_config.json in an image, in bytes; 1,000 stops need about 3 MB."""

IMAGE_DOCUMENT_VALUES = 100_000
"""Maximum number of commas and opening brackets in a JSON document of an image.

So many values fit into memory: each takes more than its text.
"""

IMAGE_DOCUMENT_DEPTH = 16
"""Maximum nesting of arrays and objects in a JSON document of an image."""

IMAGE_MEMBERS = 4096
"""Maximum number of entries of an image's archive; engines accept images of some 125 layers."""

IMAGE_FINDINGS = 1000
"""Maximum number of differences listed for one layer; more are counted."""

IMAGE_DIFFERENCES = 5000
"""Maximum number of differences listed for an image; one with more is refused."""
