"""Executes a program under the filter: python -m tests.filtered RUNNER PROGRAM [ARGUMENT ...]."""

import os
import sys

from entrypoint.process import seccomp
from entrypoint.process.prctl import prctl

PR_SET_NO_NEW_PRIVS = 38

if __name__ == "__main__":
    program = seccomp.program(int(sys.argv[1]))
    assert program is not None
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(program)
    os.execv(sys.argv[2], sys.argv[2:])
