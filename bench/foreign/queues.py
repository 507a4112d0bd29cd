"""Samples of Python's queues and pipes on request: `Queue`, `SimpleQueue`, `Pipe`, `faster-fifo`, `faster-fifo-batches`.

See bench/harness/helper.ts for the protocol.
"""

import json
import multiprocessing
import sys
from time import perf_counter_ns, sleep

context = multiprocessing.get_context("fork")


def item_of(kind):
    if kind == "int":
        return 42
    if kind == "object":
        return {"id": 12345, "name": "a short name", "value": 2.75, "ok": True, "tags": [1, 2, 3]}
    return bytes(int(kind))


BATCH = 1000
# Messages before the measured ones.
WARM_UP = 4000
WARM_UP_BYTES = 128 << 20
NEVER = 1e6


class PipeQueue:
    """A pipe with the methods of a queue, for one writer and one reader."""

    def __init__(self):
        reader, writer = context.Pipe(False)
        self.put, self.get = writer.send, reader.recv


class FasterFifo:
    """faster-fifo with room for what its author's own benchmark has room for, and for 64 large buffers."""

    def __init__(self):
        import faster_fifo

        self.queue = faster_fifo.Queue(max_size_bytes=64 << 20)

    def put(self, item):
        self.queue.put(item, timeout=NEVER)

    def get(self):
        return self.queue.get(timeout=NEVER)

    def put_many(self, items):
        self.queue.put_many(items, timeout=NEVER)

    def get_many(self, most):
        return self.queue.get_many(timeout=NEVER, max_messages_to_get=most)


makers = {
    "Queue": context.Queue,
    "SimpleQueue": context.SimpleQueue,
    "Pipe": PipeQueue,
    "faster-fifo": FasterFifo,
    "faster-fifo-batches": FasterFifo,
}


def sample_stream(name, kind, producers, consumers, count):
    queue = makers[name]()
    in_batches = name.endswith("batches")
    gate = context.Barrier(producers + consumers + 1)
    item = item_of(kind)
    warm_up = WARM_UP_BYTES // len(item) if isinstance(item, bytes) else WARM_UP

    def put_all(number):
        if in_batches:
            for _ in range(number // BATCH):
                queue.put_many([item] * BATCH)
        else:
            for _ in range(number):
                queue.put(item)

    def get_all(number):
        while number > 0:
            if in_batches:
                number -= len(queue.get_many(min(number, BATCH)))
            else:
                queue.get()
                number -= 1

    def work(part, sharers):
        part(warm_up // sharers)
        gate.wait()
        part(count // sharers)
        gate.wait()  # the start and the end of a process are not measured

    children = [context.Process(target=work, args=(put_all, producers)) for _ in range(producers)]
    children += [context.Process(target=work, args=(get_all, consumers)) for _ in range(consumers)]
    for child in children:
        child.start()
    while gate.n_waiting < len(children):
        sleep(0.001)
    started = perf_counter_ns()
    gate.wait()
    gate.wait()
    ns = perf_counter_ns() - started
    for child in children:
        child.join()
    if any(child.exitcode != 0 for child in children):
        raise RuntimeError("a child has failed")
    return {"ns": ns / count}


def sample_roundtrip(name, count):
    there, back = makers[name](), makers[name]()

    def echo():
        for _ in range(WARM_UP + count):
            back.put(there.get())

    child = context.Process(target=echo)
    child.start()
    for i in range(WARM_UP + count):
        if i == WARM_UP:
            started = perf_counter_ns()
        there.put(i)
        back.get()
    ns = perf_counter_ns() - started
    child.join()
    return {"ns": ns / count}


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def serve(name):
    samples = {"stream": sample_stream, "roundtrip": sample_roundtrip}
    answer({"ready": True})
    for line in sys.stdin:
        what, *arguments = line.split()
        if what == "stream":
            arguments[1:] = map(int, arguments[1:])
        else:
            arguments = [int(word) for word in arguments]
        try:
            answer(samples[what](name, *arguments))
        except Exception as error:  # said to the benchmark, which goes on without this one
            answer({"error": repr(error)})


serve(sys.argv[1])
