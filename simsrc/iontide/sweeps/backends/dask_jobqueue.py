"""Sweeps on Dask workers in Slurm jobs, which dask-jobqueue submits, and ends with the sweep."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .dask import run_on_dask
from .slurm import is_in_queue, try_options
from .slurm_options import SlurmOptions
from .work import Outcome, Report, ignore_report, never

#: Number of jobs unless given.
USUAL_JOBS = 4


def import_jobqueue() -> Any:
    """Import dask_jobqueue, or raise an error that says how to install it.

    The import replaces the handler of Ctrl-C, which is restored afterwards.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ImportError:
        raise UsageError('workers in jobs of Slurm need dask-jobqueue: pip install "iontide[dask]"') from None
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)
    return dask_jobqueue


@contextlib.contextmanager
def slurm_cluster(options: SlurmOptions, folder: str | Path) -> Iterator[Any]:
    """Dask workers in Slurm jobs, made by dask-jobqueue and ended when the context is left.

    Settings that are not given, such as the network interface, are taken from ``~/.config/dask/jobqueue.yaml``. If the
    package cryptography is installed, scheduler and workers authenticate by certificates: without them, anyone who can
    reach the scheduler can run programs in the name of its owner.

    Parameters
    ----------
    options : SlurmOptions
        As for a job array; ``elements`` is the number of jobs (4 by default), each with ``cpus`` workers of one thread.
    folder : path
        Folder of the sweep; the output of the jobs goes to its ``logs``.
    """
    jobqueue = import_jobqueue()
    folder = Path(folder).resolve()
    for path in (str(folder), sys.executable):
        if not re.fullmatch(r"[\w./+@:,=~-]+", path):
            raise UsageError(
                f"dask-jobqueue cannot handle the path {path!r}: it must have no spaces or special characters"
            )
    (folder / "logs").mkdir(exist_ok=True)
    try_options(options)
    # Options for which dask-jobqueue has its own parameters, and those of job arrays.
    handled = {"partition", "account", "time", "cpus", "mem", "elements", "at_once", "signal"}
    rest = SlurmOptions({name: value for name, value in options.items() if name not in handled})
    minutes = options.minutes
    # A worker that nears its time limit returns its tasks to the scheduler before it is killed.
    lifetime = ["--lifetime", f"{max(30, int(60 * minutes) - 60)}s"] if minutes else []
    secure = importlib.util.find_spec("cryptography") is not None
    cluster = jobqueue.SLURMCluster(
        queue=options.get("partition"),
        account=options.get("account"),
        walltime=options.get("time"),
        cores=options.cpus,
        processes=options.cpus,
        memory=_binary(options.get("mem", "2G")),
        job_mem=options.get("mem"),
        job_extra_directives=[f"--chdir={folder}", "--output=logs/dask_%j.log", *rest.directives()],
        worker_extra_args=[*lifetime, "--no-dashboard"],
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        security=True if secure else None,
        shared_temp_directory=str(folder / "logs") if secure else None,
    )
    try:
        cluster.scale(jobs=options.elements or USUAL_JOBS)
        yield cluster
    finally:
        cluster.close()
        # The certificates for the jobs are temporary files, which are deleted when closed.
        for name, certificate in list(vars(cluster).items()):
            if name.startswith("_job_") and hasattr(certificate, "close"):
                certificate.close()


def run_in_slurm_jobs(
    folder: str | Path,
    options: SlurmOptions,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = ignore_report,
) -> Outcome:
    """``run_on_dask`` on a new ``slurm_cluster``; waits for its jobs as long as they are in the queue."""
    with slurm_cluster(options, folder) as cluster:

        def workers_expected() -> bool:
            return any(
                is_in_queue(str(worker.job_id)) for worker in cluster.workers.values() if hasattr(worker, "job_id")
            )

        return run_on_dask(folder, cluster, blocks, stop, report, workers_expected=workers_expected)


def _binary(memory: str) -> str:
    """An amount of memory for Dask: 2G of Slurm means 2 GiB, a plain number MiB."""
    return f"{memory}MiB" if memory.isdigit() else f"{memory.rstrip('B')}iB"
