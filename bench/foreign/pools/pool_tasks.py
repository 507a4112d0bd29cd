"""The tasks of the pools in pools.py: a module of their own, because loky would send functions of the main program by value."""

data = b""


def increment(n):
    return n + 1


def block(size):
    return b"\x01" * size


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def total(piece):
    """One byte of each line of the cache. `piece` is the bytes themselves, or where they are in what came by fork."""
    if isinstance(piece, bytes):
        return sum(piece[::64])
    start, end = piece
    return sum(data[start:end:64])
