"""Ciphers, digests, signatures and keys; no file names, no configuration."""
