"""Executes a program under the filter: python -m tests.filtered RUNNER PROGRAM [ARGUMENT ...]."""

import os
import sys

from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import seccomp

if __name__ == "__main__":
    program = seccomp.program(int(sys.argv[1]))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(program)
    os.execv(sys.argv[2], sys.argv[2:])
