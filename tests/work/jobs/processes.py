"""Work in several processes and threads."""

import ctypes
import multiprocessing
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import resource_tracker, shared_memory
from typing import Any

NUMBERS = range(20)


def _square(number: int) -> int:
    return number * number


SQUARES = [_square(number) for number in NUMBERS]


def _pool(method: Any) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_square, NUMBERS) == SQUARES


def pool_by_fork() -> None:
    _pool("fork")


def pool_by_spawn() -> None:
    _pool("spawn")


def pool_by_forkserver() -> None:
    _pool("forkserver")


def _executor(method: Any) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert list(executor.map(_square, NUMBERS)) == SQUARES


def executor_by_fork() -> None:
    _executor("fork")


def executor_by_spawn() -> None:
    _executor("spawn")


def _add(total: Any, queue: Any) -> None:
    for _ in range(100):
        with total.get_lock():
            total.value += 1
    queue.put(os.getpid())


def value_with_a_lock_and_a_queue() -> None:
    total: Any = multiprocessing.Value("q", 0)
    queue: Any = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=_add, args=(total, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert {queue.get(timeout=60) for _ in workers} == {worker.pid for worker in workers}
    for worker in workers:
        worker.join()
    assert total.value == 300


def _note(noted: Any, number: int) -> None:
    noted[number] = _square(number)


def manager() -> None:
    with multiprocessing.Manager() as shared:
        noted = shared.dict()
        worker = multiprocessing.Process(target=_note, args=(noted, 7))
        worker.start()
        worker.join()
        assert dict(noted) == {7: 49}


def _fill(name: str) -> None:
    part: Any = shared_memory.SharedMemory(name)
    part.buf[:4] = b"done"
    part.close()


def shared_memory_block() -> None:
    resource_tracker.ensure_running()
    block: Any = shared_memory.SharedMemory(create=True, size=1 << 20)
    worker = multiprocessing.get_context("spawn").Process(target=_fill, args=(block.name,))
    worker.start()
    worker.join()
    assert bytes(block.buf[:4]) == b"done"
    block.close()
    block.unlink()


def worker_that_is_terminated() -> None:
    for end in ("terminate", "kill"):
        worker = multiprocessing.Process(target=time.sleep, args=(600,))
        worker.start()
        getattr(worker, end)()
        worker.join(60)
        assert worker.exitcode in (-signal.SIGTERM, -signal.SIGKILL)


def many_threads() -> None:
    with ThreadPoolExecutor(50) as executor:
        assert list(executor.map(_square, NUMBERS)) == SQUARES
    gate = threading.Barrier(50)
    threads = [threading.Thread(target=gate.wait, args=(60,)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not gate.broken


def shell_and_pipes() -> None:
    command = "printf 'b\\na\\n' | sort | tr a-z A-Z && echo $((6 * 7)) >&2"
    done = subprocess.run(command, shell=True, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"A\nB\n", b"42\n")


def shell_that_ends_its_group() -> None:
    script = "trap 'exit 7' TERM; kill 0; exit 8"
    done = subprocess.run(["sh", "-c", script], start_new_session=True, check=False)
    assert done.returncode == 7


def child_of_a_group_and_a_session() -> None:
    for option in ({"start_new_session": True}, {"process_group": 0}):
        child = subprocess.Popen(["sleep", "600"], **option)
        os.killpg(child.pid, signal.SIGTERM)
        assert child.wait(60) == -signal.SIGTERM


def signal_handlers_and_timers() -> None:
    seen = []
    for number in (signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    while len(seen) < 2:
        time.sleep(0.01)
    assert set(seen) == {signal.SIGALRM, signal.SIGUSR1}


def cores_and_priority() -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    assert os.sched_getaffinity(0) == {min(cores)}
    worker = multiprocessing.Process(target=time.sleep, args=(600,))
    worker.start()
    assert worker.pid
    os.sched_setaffinity(worker.pid, cores)
    worker.kill()
    worker.join()
    assert os.nice(1) >= 1


def sockets_of_the_loopback() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        client.sendall(b"ping")
        assert accepted.recv(4) == b"ping"


def sockets_by_name() -> None:
    for name in (os.path.join(tempfile.gettempdir(), "socket"), "\0abstract"):
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(name)
            server.listen()
            client.connect(name)
            accepted, _ = server.accept()
            accepted.close()


def fork_without_exec() -> None:
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def descriptors_for_events() -> None:
    with open(os.eventfd(0), "r+b", buffering=0) as event:
        event.write((5).to_bytes(8, "little"))
        assert int.from_bytes(event.read(8), "little") == 5
    os.close(os.memfd_create("memory"))
    os.close(os.pidfd_open(os.getpid()))


def process_title() -> None:
    pr_set_name = 15
    assert ctypes.CDLL(None).prctl(pr_set_name, b"worker", 0, 0, 0) == 0
