"""The command line: its commands and options, the exit status and the status line."""
