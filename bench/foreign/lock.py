"""Samples of multiprocessing's locks on request. See bench/harness/helper.ts for the protocol."""

import json
import multiprocessing
import sys
from time import perf_counter_ns

context = multiprocessing.get_context("fork")


def pairs(lock, count):
    acquire, release = lock.acquire, lock.release
    for _ in range(count):
        acquire()
        release()


def sample_pair(kind, count):
    lock = getattr(context, kind)()
    started = perf_counter_ns()
    pairs(lock, count)
    return {"ns": (perf_counter_ns() - started) / count}


def sample_contended(processes, count):
    lock = context.Lock()
    counter = context.Value("i", 0, lock=False)
    gate = context.Barrier(processes + 1)

    def work():
        gate.wait()
        for _ in range(count):
            with lock:
                counter.value += 1

    children = [context.Process(target=work) for _ in range(processes)]
    for child in children:
        child.start()
    gate.wait()
    started = perf_counter_ns()
    for child in children:
        child.join()
    ns = perf_counter_ns() - started
    if any(child.exitcode != 0 for child in children):
        raise RuntimeError("a child has failed")
    if counter.value != processes * count:
        raise RuntimeError("updates were lost")
    return {"ns": ns / (processes * count)}


def sample_handover(count):
    ping, pong = context.Semaphore(0), context.Semaphore(0)

    def echo():
        for _ in range(count):
            ping.acquire()
            pong.release()

    child = context.Process(target=echo)
    child.start()
    ping.release()
    pong.acquire()
    started = perf_counter_ns()
    for _ in range(count - 1):
        ping.release()
        pong.acquire()
    ns = perf_counter_ns() - started
    child.join()
    return {"ns": ns / (count - 1)}


def sample_increment(count):
    counter = context.Value("i")
    started = perf_counter_ns()
    for _ in range(count):
        with counter.get_lock():
            counter.value += 1
    return {"ns": (perf_counter_ns() - started) / count}


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def serve():
    samples = {"pair": sample_pair, "contended": sample_contended, "handover": sample_handover, "increment": sample_increment}
    answer({"ready": True})
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            answer(samples[name](*(int(word) if word.isdigit() else word for word in arguments)))
        except Exception as error:  # said to the benchmark, which goes on without this one
            answer({"error": repr(error)})


serve()
