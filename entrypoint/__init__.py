"""The program that runs inside every Personal Health Train."""

__version__ = "0.1.0"
