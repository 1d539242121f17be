"""A real Slurm on this machine alone: controller, one node and munge on 127.0.0.1, all in a temporary folder.

Import ``slurm`` into a test module and use it as a fixture. Debian: ``apt-get install slurmctld slurmd slurm-client
munge``. Ports are free ones, daemons stay in the foreground as our children, and only they are ended.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NEEDED = ("slurmctld", "slurmd", "munged", "munge", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
MISSING = [
    name for name in NEEDED if not shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
]

#: Processors that the one node claims to have, whatever the machine has.
PROCESSORS = 6

#: Elements of an array count up to one less; small, so that a test can run into it.
MAX_ARRAY_SIZE = 41

CONFIGURATION = """
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge=300
MaxArraySize={max_array_size}
MaxJobCount=500
JobRequeue=1
NodeName=localhost NodeAddr=127.0.0.1 CPUs={processors} Sockets=1 CoresPerSocket={processors} ThreadsPerCore=1 \
RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
PartitionName=brief Nodes=localhost Default=NO MaxTime=1 State=UP
"""


class Loopback:
    """A running Slurm; its commands find it through ``SLURM_CONF``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Bring it up, or raise with what the daemons said."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        control_port, node_port = free_ports(2)
        self.configuration = self.folder / "slurm.conf"
        self.configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder,
                user=getpass.getuser(),
                control_port=control_port,
                node_port=node_port,
                processors=PROCESSORS,
                max_array_size=MAX_ARRAY_SIZE,
            )
        )
        os.environ["SLURM_CONF"] = str(self.configuration)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        munge = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        self._start("munged", "--foreground", "--force", *(f"--{k}={self.folder / v}" for k, v in munge.items()))
        self._wait("munge", "-n", "-S", str(self.folder / "munge.socket"))
        self._start("slurmctld", "-D", "-c", "-f", str(self.configuration))
        self._start("slurmd", "-D", "-N", "localhost", "-f", str(self.configuration))
        self._wait("sinfo", "-h", "-p", "debug", "-o", "%T", says="idle")

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name) or f"/usr/sbin/{name}"
        # Tests that are killed must not leave daemons behind.
        with_us = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        with (self.folder / f"{name}.log").open("wb") as log:
            # A group of its own: a Ctrl-C meant for the tests must not end Slurm before its jobs.
            self.daemons.append(
                subprocess.Popen(
                    [*with_us, program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _wait(self, *words: str, says: str = "") -> None:
        """Until a command succeeds, and says what it should."""
        for _ in range(150):
            result = subprocess.run(words, capture_output=True, text=True)
            if result.returncode == 0 and (not says or result.stdout.strip() == says):
                return
            if any(daemon.poll() is not None for daemon in self.daemons):
                break
            time.sleep(0.1)
        said = "\n".join(log.read_text(errors="replace")[-2000:] for log in self.folder.glob("*.log"))
        raise RuntimeError(f"Slurm did not come up ({words[0]}):\n{said}")

    def stop(self) -> None:
        """End its jobs, then the daemons, the last first."""
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run(["scancel", f"--user={getpass.getuser()}"], timeout=10, capture_output=True)
            self.wait_until(lambda: not self.ask("squeue", "-h").strip(), 20.0)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10.0)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def ask(self, *words: str) -> str:
        """What a command prints."""
        return subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout

    def queue(self, job: str) -> dict[int, str]:
        """States of the elements of an array that wait or run, by number; 0 is a job that is no array."""
        lines = self.ask("squeue", "-h", "--array", "--format=%F|%K|%T").splitlines()
        rows = [line.split("|") for line in lines]
        return {int(part) if part.isdigit() else 0: state for number, part, state in rows if number == job}

    def told(self, job: str) -> dict[str, str]:
        """What ``scontrol show job`` says of a job or an element, as ``7_3``."""
        words = self.ask("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait_until(self, condition: Callable[[], object], seconds: float = 300.0) -> None:
        """Look until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:g} s; the queue:\n{self.ask('squeue', '--array')}")
            time.sleep(0.1)

    def wait_for(self, *jobs: str, seconds: float = 300.0) -> None:
        """Until jobs have left the queue."""
        self.wait_until(lambda: not any(self.queue(job) for job in jobs), seconds)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="session")
def slurm() -> Iterator[Loopback]:
    """Slurm on loopback, one for all tests; skipped where its programs are missing."""
    if MISSING:
        pytest.skip(f"Slurm is not installed ({', '.join(MISSING)} missing)")
    before = os.environ.get("SLURM_CONF")
    with contextlib.ExitStack() as stack:
        # Short: the path of a socket may have 107 characters.
        loopback = Loopback(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm", dir="/tmp"))))
        stack.callback(_restore, before)
        stack.callback(loopback.stop)
        loopback.start()
        yield loopback


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop("SLURM_CONF", None)
    else:
        os.environ["SLURM_CONF"] = before
