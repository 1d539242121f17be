"""Sweeps on workers of Dask in jobs of Slurm, which dask-jobqueue submits and ends with the sweep."""

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
from .work import Outcome, Report, never, unheard

#: Jobs of a cluster that is made for the sweep, unless asked for otherwise.
USUAL_JOBS = 4


def import_jobqueue() -> Any:
    """The package dask_jobqueue, or a sentence on how to get it.

    Its import takes Ctrl-C for its own; whoever listened before listens again after it.
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
    """Workers of Dask in jobs of Slurm, made by dask-jobqueue and ended on leaving.

    What is not given is taken from the user's ``~/.config/dask/jobqueue.yaml``, as the network interface. Where the
    package cryptography is installed, scheduler and workers know each other by certificates: whoever can reach a
    scheduler without them can run programs in the name of its owner.

    Parameters
    ----------
    options : SlurmOptions
        As of a job array; ``elements`` is the number of jobs (4 without), each with ``cpus`` workers of one thread.
    folder : path
        Of the sweep; what the jobs say goes to its ``logs``.
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
    # Known to dask-jobqueue by names of its own, or of a job array only.
    spoken_for = {"partition", "account", "time", "cpus", "mem", "elements", "at_once", "signal"}
    rest = SlurmOptions({name: value for name, value in options.items() if name not in spoken_for})
    minutes = options.minutes
    # A worker that nears its time limit hands its work back rather than being killed in the midst of it.
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
        # The certificates for the jobs: files of their owner alone, which are gone when closed.
        for name, certificate in list(vars(cluster).items()):
            if name.startswith("_job_") and hasattr(certificate, "close"):
                certificate.close()


def run_in_slurm_jobs(
    folder: str | Path,
    options: SlurmOptions,
    blocks: Iterable[int] | None = None,
    stop: Callable[[], bool] = never,
    report: Report = unheard,
) -> Outcome:
    """``run_on_dask`` on a ``slurm_cluster`` of its own; waits for its jobs as long as they are in the queue."""
    with slurm_cluster(options, folder) as cluster:

        def to_come() -> bool:
            return any(
                is_in_queue(str(worker.job_id)) for worker in cluster.workers.values() if hasattr(worker, "job_id")
            )

        return run_on_dask(folder, cluster, blocks, stop, report, to_come=to_come)


def _binary(memory: str) -> str:
    """Slurm's 2G is 2 GiB, its bare number MiB."""
    return f"{memory}MiB" if memory.isdigit() else f"{memory.rstrip('B')}iB"
