"""The stages of a visit: verify, decrypt, seal, commit. None imports another."""
