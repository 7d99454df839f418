"""Ciphers, digests, signatures and keys; no fixed paths, no configuration."""
