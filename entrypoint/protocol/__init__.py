"""The protocol of a visit in stages: verify, decrypt, seal. No stage imports another."""
