"""The options of `docker create` for every container that receives a station's key.

The guides and the script for stations repeat them literally.
"""

from entrypoint.settings.names import LOADING_CODE

OPTIONS = (
    # Only the train is writable; everything else is as in the image.
    *("--read-only", "--volume", "/opt", "--tmpfs", "/tmp", "--network", "none"),
    # A health check of the image would see the key, and its stop signal may be one that the runner
    # cannot handle.
    *("--no-healthcheck", "--stop-signal", "SIGTERM"),
    # The builder of a train may have given files to other users.
    *("--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE"),
    *("--cap-add", "FOWNER"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "1000"),
    # Sealing large results takes time.
    *("--stop-timeout", "60"),
    *(word for name in (*LOADING_CODE, "OPENSSL_CONF") for word in ("--env", f"{name}=")),
)
