"""The options of `docker create` for every container that sees a station's key.

They stand, as here, on every page that has such a line, and in the script for stations.
"""

LOADING_CODE = ("LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""Variables of an image that make the loader, the C library or Python run code before any program.

`LD_LIBRARY_PATH` is not among them: images for CUDA need theirs (`container_rules`)."""

OPTIONS = (
    # The train is writable, all else is as in the image.
    *("--read-only", "--volume", "/opt", "--tmpfs", "/tmp", "--network", "none"),
    # Of the image: a health check sees the key, another signal than SIGTERM could end us at once.
    *("--no-healthcheck", "--stop-signal", "SIGTERM"),
    # For files that the train's builder has given to other users.
    *("--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE"),
    *("--cap-add", "FOWNER"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "1000"),
    # Sealing large results takes time.
    *("--stop-timeout", "60"),
    *(word for name in (*LOADING_CODE, "OPENSSL_CONF") for word in ("--env", f"{name}=")),
)
