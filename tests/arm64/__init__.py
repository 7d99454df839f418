"""The program on arm64, emulated."""
