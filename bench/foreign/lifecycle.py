"""Samples of multiprocessing and of os.fork on request. See bench/harness/helper.ts for the protocol."""

import json
import multiprocessing
import os
import sys
from time import perf_counter_ns, sleep

ballast = []


def target():
    pass


def sample_process(method="fork"):
    if method != "fork":
        sleep(0.01)  # as for ours: starts are some time apart
    context = multiprocessing.get_context(method)
    started = perf_counter_ns()
    process = context.Process(target=target)
    process.start()
    process.join()
    ns = perf_counter_ns() - started
    if process.exitcode != 0:
        raise RuntimeError(f"the child ended with {process.exitcode}")
    return {"ns": ns}


def sample_fork():
    started = perf_counter_ns()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    ns = perf_counter_ns() - started
    if status != 0:
        raise RuntimeError(f"the child ended with status {status}")
    return {"ns": ns}


idlers = []


def stay(is_up):
    is_up.set()
    sleep(1e6)


def idle(method):
    method = multiprocessing.get_context(method)
    is_up = method.Event()
    process = method.Process(target=stay, args=(is_up,))
    process.start()
    idlers.append(process)
    is_up.wait()
    return {"pid": process.pid}


def release():
    while idlers:
        process = idlers.pop()
        process.kill()
        process.join()
    return {}


def grow(kind, size):
    if kind == "buffers":
        block = 1 << 20
        ballast.extend(bytearray(b"\1" * block) for _ in range(-(-size // block)))
        return {}
    # Small objects, as in the JavaScript heap: a list of dictionaries with a number and a string.
    block = []
    size_of_one = sys.getsizeof({"id": 0, "name": ""}) + sys.getsizeof("item 1234567") + 16 + 28 + 8
    for number in range(size // size_of_one):
        block.append({"id": 1_000_000 + number, "name": f"item {number}"})
    ballast.append(block)
    return {}


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def serve():
    samples = {
        "process": sample_process,
        "forkserver": lambda: sample_process("forkserver"),
        "spawn": lambda: sample_process("spawn"),
        "fork": sample_fork,
    }
    answer({"ready": True})
    while line := sys.stdin.readline():
        words = line.split()
        try:
            if words[0] == "sample":
                answer(samples[words[1]]())
            elif words[0] == "idle":
                answer(idle(words[1]))
            elif words[0] == "release":
                answer(release())
            else:
                answer(grow(words[1], int(words[2])))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    serve()
