"""Samples of Python's pools on request: `python-pool`, `python-executor`, `loky`.

See bench/harness/helper.ts for the protocol, bench/pool/node-helper.ts for the cases.
"""

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter_ns

import pool_tasks

SIZE = 2
FIB = 27
PARTS = 8
WARM_UP_NS = 1_000_000_000

context = multiprocessing.get_context("fork")


class Pool:
    inherits = True

    def __init__(self):
        self.pool = context.Pool(SIZE)

    def run(self, task, argument):
        return self.pool.apply(task, (argument,))

    def chunks(self, task, items):
        return self.pool.map(task, items)

    def each(self, task, items):
        return self.pool.map(task, items, chunksize=1)

    def close(self):
        self.pool.terminate()
        self.pool.join()


class Executor:
    inherits = True

    def __init__(self):
        self.executor = ProcessPoolExecutor(SIZE, mp_context=context)

    def run(self, task, argument):
        return self.executor.submit(task, argument).result()

    def chunks(self, task, items):
        # As many chunks as Pool.map() makes: the executor leaves their size to the caller.
        return list(self.executor.map(task, items, chunksize=-(-len(items) // SIZE // 4)))

    def each(self, task, items):
        futures = [self.executor.submit(task, item) for item in items]
        return [future.result() for future in futures]

    def close(self):
        self.executor.shutdown()


class Loky(Executor):
    inherits = False

    def __init__(self):
        self.executor = loky.ProcessPoolExecutor(SIZE)


class Samples:
    def __init__(self, maker):
        self.maker = maker
        self.opened = None
        self.is_warm = False

    def warm(self):
        self.opened = self.opened or self.maker()
        return self.opened

    def open(self, _):
        started = perf_counter_ns()
        pool = self.maker()
        result = pool.run(pool_tasks.increment, 1)
        ns = perf_counter_ns() - started
        check(result == 2)
        pool.close()
        return {"ns": ns}

    def chunks(self, count):
        return self.increments(self.warm().chunks, count)

    def each(self, count):
        return self.increments(self.warm().each, count)

    def timed(self, way, task, items):
        """See node-helper.ts for the warm-up."""
        until = perf_counter_ns() + (0 if self.is_warm else WARM_UP_NS)
        while True:
            way(task, items[: len(items) // 10] if self.is_warm else items)
            if perf_counter_ns() >= until:
                break
        self.is_warm = True
        started = perf_counter_ns()
        results = way(task, items)
        return perf_counter_ns() - started, results

    def increments(self, way, count):
        ns, results = self.timed(way, pool_tasks.increment, range(count))
        check(results == list(range(1, count + 1)))
        return {"ns": ns}

    def blocks(self, count):
        ns, results = self.timed(self.warm().each, pool_tasks.block, [10 << 10] * count)
        check(results == [b"\x01" * (10 << 10)] * count)
        return {"ns": ns}

    def cpu(self, count):
        pool = self.warm()
        started = perf_counter_ns()
        for _ in range(count):
            pool_tasks.fib(FIB)
        alone = perf_counter_ns() - started
        started = perf_counter_ns()
        results = pool.each(pool_tasks.fib, [FIB] * count)
        ns = perf_counter_ns() - started
        check(results == [196_418] * count)
        return {"ns": ns, "alone": alone}

    def input(self, size):
        pool_tasks.data = b"\x01" * size
        part = size // PARTS
        pool = self.warm()
        # The first time is the warm-up.
        for _ in range(2):
            started = perf_counter_ns()
            pieces = [(start, start + part) for start in range(0, size, part)]
            if not pool.inherits:
                pieces = [pool_tasks.data[start:end] for start, end in pieces]
            results = pool.each(pool_tasks.total, pieces)
            ns = perf_counter_ns() - started
            check(sum(results) == size // 64)
        return {"ns": ns}


def check(right):
    if not right:
        raise RuntimeError("a wrong result")


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def serve(samples):
    answer({"ready": True})
    for line in sys.stdin:
        what, count = line.split()
        try:
            answer(getattr(samples, what)(int(count)))
        except Exception as error:  # said to the benchmark, which goes on without this one
            answer({"error": repr(error)})
    if samples.opened:
        samples.opened.close()


if __name__ == "__main__":
    if sys.argv[1] == "loky":
        import loky
    serve(Samples({"python-pool": Pool, "python-executor": Executor, "loky": Loky}[sys.argv[1]]))
