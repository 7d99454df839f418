"""Trains of the tests of recipes, which mount no folder that a train can write to."""

from tests.containers.visitor import COUNTS

FAILS = COUNTS + "raise SystemExit(3)\n"
IS_KILLED = COUNTS + "import os; os.kill(os.getpid(), 9)\n"
STAYS = COUNTS + "print('aboard', flush=True)\nimport time; time.sleep(60)\n"
"""Runs until it is ended."""

LARGE_BYTES = 48 * 2**20
SEALS_LONG = (
    COUNTS
    + f"""
print("aboard", flush=True)
for number in range(4):
    with (results / str(number)).open("wb") as file:
        file.truncate({LARGE_BYTES})
"""
)
"""Has results that take some time to be sealed, and says that it runs."""
