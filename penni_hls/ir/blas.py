"""How many threads numpy's matrix products use."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager:
    """Within this context a matrix product uses one thread.

    For work that is spread over threads already, and for results that must not depend on the number of cores.
    The products here are small: on a busy machine OpenBLAS's own threads made them 100 times slower.
    """
    return threadpool_limits(limits=1, user_api="blas")
