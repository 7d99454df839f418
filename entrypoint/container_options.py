"""The options of `docker create` for every container that sees a station's key.

They stand, as here, on every page that has such a line, and in the script for stations.
"""

# What works before the first line of this program, or changes what code it runs.
_BEFORE_THE_PROGRAM = (
    *("LD_PRELOAD", "LD_AUDIT"),  # of the loader; LD_LIBRARY_PATH is left: images for CUDA need it
    *("PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"),  # which `python -I` heeds
    "OPENSSL_CONF",
)

OPTIONS = (
    # The train is writable, all else is as in the image.
    *("--read-only", "--volume", "/opt", "--tmpfs", "/tmp"),
    *("--network", "none"),
    # Of the image: a health check sees the key, another signal than SIGTERM could end us at once.
    *("--no-healthcheck", "--stop-signal", "SIGTERM"),
    # For files that the train's builder has given to other users.
    *(
        "--cap-drop",
        "ALL",
        "--cap-add",
        "CHOWN",
        "--cap-add",
        "DAC_OVERRIDE",
        "--cap-add",
        "FOWNER",
    ),
    *("--security-opt", "no-new-privileges", "--pids-limit", "1000"),
    # Sealing large results takes time.
    *("--stop-timeout", "60"),
    *(word for name in _BEFORE_THE_PROGRAM for word in ("--env", f"{name}=")),
)
