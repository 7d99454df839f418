"""Times an empty command, outside the sandbox and inside, and prints the seconds as JSON.

Started as `python FILE ROOT OUTSIDE-OR-INSIDE`. Inside it is step 6 of a visit to the train below
ROOT: choosing and making the layers, the scratch folder, and removing that.
"""

import json
import os
import sys
import time
from pathlib import Path

from entrypoint.process import child
from entrypoint.process.credentials import Credentials
from entrypoint.process.sandbox import Sandbox
from entrypoint.report import Report
from entrypoint.settings.load import load
from entrypoint.visit.session import Session
from entrypoint.visit.train import run_train
from entrypoint.visit.train_user import train_credentials

COMMAND = ["sh", "-c", ":"]


def main() -> None:
    """Run the command once."""
    root, place = sys.argv[1:]
    env = {"PATH": os.environ["PATH"]}
    session = Session(load(Path(root), env), Report())
    with session.stop:
        began = time.perf_counter()
        if place == "inside":
            credentials = train_credentials(session.settings, session.report)
            run_train(session, COMMAND, credentials, key_absent=True)
        else:
            own = Credentials(uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()))
            sandbox = Sandbox(credentials=own)
            child.run(COMMAND, env=env, timeout=None, stop=session.stop, sandbox=sandbox)
    print(json.dumps({"start": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
