"""The station's private key, used only here: opens envelopes, signs, derives the journal's key."""

from entrypoint.crypto.envelopes import open_envelope, unwrap, wrap
from entrypoint.crypto.file_cipher import FileCipher
from entrypoint.crypto.keys import PublicKey, fingerprint
from entrypoint.crypto.mac import journal_key
from entrypoint.crypto.signatures import sign_pss
from entrypoint.errors import SettingsError
from entrypoint.model import Paths
from entrypoint.recovery.state import VisitState
from entrypoint.settings.private_key import load_station_key
from entrypoint.settings.settings import Settings


class StationKey:
    """The private key of this station.

    Attributes:
        station: the station's id on the train.

    Args:
        settings: of the station.
        validated: whether the opener of this visit has validated its numbers.
    """

    def __init__(self, settings: Settings, *, validated: bool = False) -> None:
        # Before the key: its error also explains host-driven visits.
        self.station = settings.station()
        self._key = load_station_key(settings.key_settings, validated=validated)

    def public(self) -> PublicKey:
        """Return the public key."""
        return self._key.public_key()

    def check_unchanged(self, before: str) -> None:
        """Check that this is the key of the process that has opened the train.

        Args:
            before: the fingerprint of that key.

        Raises:
            SettingsError: it is another one.
        """
        if fingerprint(self.public()) != before:
            raise SettingsError(
                "private-key-changed",
                "the station's private key was replaced by another one while the train ran",
                hint="put back the key that has opened the train, then start this same container "
                "again: it restores the old state first",
                retry=True,
            )

    def visit_state(self, paths: Paths) -> VisitState:
        """Return the state of this station's visit on disk; it holds only the journal's key."""
        return VisitState(paths, journal_key(self._key))

    def open_envelope(self, envelope: bytes, cipher: FileCipher) -> bytes:
        """Return the symmetric key of a train; see `crypto.envelopes.open_envelope`."""
        return open_envelope(self._key, envelope, cipher)

    def wrap(self, symmetric_key: bytes) -> bytes:
        """Return an envelope that only this station can open."""
        return wrap(self._key.public_key(), symmetric_key)

    def unwrap(self, envelope: bytes) -> bytes | None:
        """Return what `wrap` was given, None if the envelope does not open."""
        return unwrap(self._key, envelope)

    def sign(self, digest: bytes) -> bytes:
        """Return the station's signature of a digest of 64 bytes."""
        return sign_pss(self._key, digest)
