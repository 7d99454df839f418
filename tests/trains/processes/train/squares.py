"""Computes in processes of a pool, and in one that shares memory with it."""

import csv
import multiprocessing
import os
from multiprocessing.shared_memory import ShareableList


def square(number: int) -> int:
    return number * number


def add_up(name: str) -> None:
    shared: ShareableList[int] = ShareableList(name=name)
    shared[0] = sum(shared[place] for place in range(1, len(shared)))
    shared.shm.close()


if __name__ == "__main__":
    with open(os.environ["TRAIN_DATA_PATH"]) as table:
        ages = [int(row["age"]) for row in csv.DictReader(table)]
    with multiprocessing.Pool(2) as pool:
        squares = pool.map(square, ages)
    shared = ShareableList([0, *ages])
    worker = multiprocessing.Process(target=add_up, args=(shared.shm.name,))
    worker.start()
    worker.join()
    with open("/opt/pht_results/squares.txt", "a") as result:
        print(shared[0], sum(squares), file=result)
    shared.shm.close()
    shared.shm.unlink()
