"""Times a peer, in the Python that it needs.

Started as `python FOLDER PEER RESULTS KEY HALF...`: PEER is MODULE.NAME, a table of functions in
a module of this folder, RESULTS a folder of files, KEY the symmetric key in hex, HALF `pre-run` or
`post-run`. Prints the seconds of each half as JSON, without start-up and imports, which favours the
peer.

Nothing of this project is imported here.
"""

import importlib
import json
import os
import sys
import time

SESSION_ID = bytes(64)


def main() -> None:
    """Run the halves in the order in which they are given."""
    name, results, key, *halves = sys.argv[1:]
    module, table = name.split(".")
    peer = getattr(importlib.import_module(module), table)
    paths = sorted(entry.path for entry in os.scandir(results))
    seconds = {}
    for half in halves:
        os.sync()
        began = time.perf_counter()
        peer[half](paths, bytes.fromhex(key), SESSION_ID)
        seconds[half] = time.perf_counter() - began
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
