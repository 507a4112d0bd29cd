"""Samples of multiprocessing's locks on request. See bench/harness/helper.ts for the protocol."""

import json
import multiprocessing
import sys
from time import perf_counter_ns, sleep

context = multiprocessing.get_context("fork")

# What is done before the measured.
WARM_UP = 2000


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

    def increments(number):
        for _ in range(number):
            lock.acquire()
            counter.value += 1
            lock.release()

    def work():
        increments(WARM_UP)
        gate.wait()
        increments(count)
        gate.wait()  # the start and the end of a process are not measured

    children = [context.Process(target=work) for _ in range(processes)]
    for child in children:
        child.start()
    while gate.n_waiting < processes:
        sleep(0.001)
    started = perf_counter_ns()
    gate.wait()
    gate.wait()
    ns = perf_counter_ns() - started
    for child in children:
        child.join()
    if any(child.exitcode != 0 for child in children):
        raise RuntimeError("a child has failed")
    if counter.value != processes * (count + WARM_UP):
        raise RuntimeError("updates were lost")
    return {"ns": ns / (processes * count)}


def sample_handover(count):
    ping, pong = context.Semaphore(0), context.Semaphore(0)

    def echo():
        for _ in range(WARM_UP + count):
            ping.acquire()
            pong.release()

    child = context.Process(target=echo)
    child.start()
    for i in range(WARM_UP + count):
        if i == WARM_UP:
            started = perf_counter_ns()
        ping.release()
        pong.acquire()
    ns = perf_counter_ns() - started
    child.join()
    return {"ns": ns / count}


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
