"""The command line: arguments become one command, its outcome an exit status and a status line."""
