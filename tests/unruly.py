"""Trains that are hard to supervise, as Python code."""

COUNTING = """
import os, select, signal, sys, time
arrived, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(getattr(signal, sys.argv[2]), lambda *_: None)
print("ready", flush=True)
select.select([arrived], [], [], 30)
time.sleep(0.3)
os.write(tell, bytes(1))
numbers = os.read(arrived, 100)[:-1]
open(sys.argv[1], "w").write(str({number: numbers.count(number) for number in numbers}))
"""
"""A train that waits for a signal and writes to a file how often which one arrived.

It counts where the signals arrive: of two in a row, a handler in Python would see one.
"""

LEAVING = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
print("left", flush=True)
"""
"""A train that leaves daemons behind."""

CHAIN = """
import os, sys, time
end = time.monotonic() + 20
if os.fork() == 0:
    os.setsid()
    while os.fork() == 0 and time.monotonic() < end:
        os.utime(sys.argv[1])
    os._exit(0)
time.sleep(0.2)
"""
"""A train that leaves a process behind that never stays the same, and touches a file."""
