"""A cluster of this machine. (Processes that only work for it import this, and not PyTorch.)"""

import contextlib

import pytest


@contextlib.contextmanager
def dask_cluster(folder):
    """Address of a Dask scheduler with two processes, which live as long as the context."""
    distributed = pytest.importorskip("distributed")
    import dask

    # On a busy machine a process takes longer to start than Dask's 30 s.
    with dask.config.set({"distributed.comm.timeouts.connect": "300s"}):
        local = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)
        )
    with local:
        yield local.scheduler_address
