"""The options of `docker create` for every container that receives a station's key.

The guides and the script for stations repeat them literally.
"""

from entrypoint.settings.names import LOADING_CODE

_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETPCAP", "SETUID")

OPTIONS = (
    # Only the train is writable, and a folder in memory for its temporary files, among which may be
    # programs and libraries; everything else is as in the image.
    *("--read-only", "--volume", "/opt", "--tmpfs", "/tmp:exec"),
    *("--network", "none"),
    # A health check of the image would see the key, and its stop signal may be one that the runner
    # cannot handle.
    *("--no-healthcheck", "--stop-signal", "SIGTERM"),
    # The builder of a train may have given files to other users, and the train gets a user of its
    # own, without these capabilities.
    *("--cap-drop", "ALL"),
    *(word for name in _CAPABILITIES for word in ("--cap-add", name)),
    *("--security-opt", "no-new-privileges", "--pids-limit", "1000"),
    # Sealing large results takes time.
    *("--stop-timeout", "60"),
    *(word for name in (*LOADING_CODE, "OPENSSL_CONF") for word in ("--env", f"{name}=")),
)
