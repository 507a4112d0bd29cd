"""Samples of multiprocessing's queues on request. See bench/harness/helper.ts for the protocol."""

import json
import multiprocessing
import sys
from time import perf_counter_ns

context = multiprocessing.get_context("fork")


def item_of(kind):
    if kind == "int":
        return 42
    if kind == "object":
        return {"id": 12345, "name": "a short name", "value": 2.75, "ok": True, "tags": [1, 2, 3]}
    return bytes(int(kind))


def sample_stream(name, kind, producers, consumers, count):
    queue = getattr(context, name)()
    gate = context.Barrier(producers + consumers + 1)
    item = item_of(kind)

    def put():
        gate.wait()
        for _ in range(count // producers):
            queue.put(item)

    def get():
        gate.wait()
        for _ in range(count // consumers):
            queue.get()

    children = [context.Process(target=put) for _ in range(producers)]
    children += [context.Process(target=get) for _ in range(consumers)]
    for child in children:
        child.start()
    gate.wait()
    started = perf_counter_ns()
    for child in children:
        child.join()
    ns = perf_counter_ns() - started
    if any(child.exitcode != 0 for child in children):
        raise RuntimeError("a child has failed")
    return {"ns": ns / count}


def sample_roundtrip(name, count):
    there, back = getattr(context, name)(), getattr(context, name)()

    def echo():
        for _ in range(count):
            back.put(there.get())

    child = context.Process(target=echo)
    child.start()
    there.put(0)
    back.get()
    started = perf_counter_ns()
    for i in range(count - 1):
        there.put(i)
        back.get()
    ns = perf_counter_ns() - started
    child.join()
    return {"ns": ns / (count - 1)}


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
