"""The functions of the published package that process the results."""

try:  # version 2
    from train_lib.security.encryption import FileEncryptor
    from train_lib.security.hashing import hash_results
except ModuleNotFoundError:
    from train_lib.security.Hashing import hash_results
    from train_lib.security.SymmetricEncryption import FileEncryptor


def open_results(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Decrypt files in place and return the result hash."""
    FileEncryptor(key).decrypt_files(paths)
    digest: bytes = hash_results(paths, session_id)
    return digest


def seal_results(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Encrypt files in place and return the result hash."""
    digest: bytes = hash_results(paths, session_id)
    FileEncryptor(key).encrypt_files(paths)
    return digest


BOTH = {"pre-run": open_results, "post-run": seal_results}
