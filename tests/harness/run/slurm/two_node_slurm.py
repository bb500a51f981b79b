"""A real Slurm of two nodes on this machine: munge, controller and node daemons with all their state in one folder, as whoever
runs the tests. The nodes' names both lead to this machine, as ranks that look for each other need it.

`python -m tests.harness.run.slurm.two_node_slurm` starts one, shows its nodes, runs a command on it and ends it: CI tries it first.
"""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.debian import install, programs_at

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "setpriv")
PACKAGES = ("slurm-wlm", "munge")
PLACES = programs_at(("/usr/sbin", "/sbin"))
PATIENCE = 120.0  # seconds
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# A requeued job waits until its old credential is void, by default two minutes; a busy machine needs some to start a step.
AuthInfo=socket={root}/munge/socket,cred_expire=30
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
ReturnToService=2
MailProg=/bin/true
KillWait=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 Port={first} CPUs=2 RealMemory=16000 State=UNKNOWN
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=2 RealMemory=16000 State=UNKNOWN
PartitionName=debug Nodes={host},localhost Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes={host} MaxTime=5 State=UP
"""

IDLE = ("sinfo", "--noheader", "--partition=debug", "--states=idle", "--format=%D")
MUNGE = ("socket", "key-file", "log-file", "pid-file", "seed-file")


def missing() -> list[str]:
    """Programs of Debian's slurm-wlm and munge that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]


class TwoNodes:
    """The daemons; to be used in a `with`. Inside, this process's SLURM_CONF names the cluster."""

    def __init__(self) -> None:
        # Not below pytest's folders: munge wants a path to its socket that everybody may walk.
        self.root = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._before: str | None = None

    def __enter__(self) -> Self:
        self.root.chmod(0o755)
        host = socket.gethostname().partition(".")[0]
        names = (host, "localhost")
        for name in ("munge", "state", *(f"spool-{one}" for one in names)):
            (self.root / name).mkdir(mode=0o755)
        key = self.root / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        ports = {name: _free_port() for name in ("controller", "first", "second")}
        conf = self.root / "slurm.conf"
        conf.write_text(CONF.format(host=host, root=self.root, user=getpass.getuser(), **ports))
        self._before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(conf)
        try:
            self._start("munged", "--foreground", *(f"--{what}={key.with_name(what.split('-')[0])}" for what in MUNGE))
            _until(lambda: (self.root / "munge" / "socket").exists(), "munged made no socket")
            self._start("slurmctld", "-D")
            for name in names:
                self._start("slurmd", "-D", "-N", name)
            _until(lambda: self.ask(*IDLE).split() == ["2"], "the nodes do not become idle")
        except BaseException:
            print(self.logs(), file=sys.stderr)
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        os.environ.pop("SLURM_CONF")
        if self._before is not None:
            os.environ["SLURM_CONF"] = self._before
        shutil.rmtree(self.root, ignore_errors=True)

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=PLACES)
        assert program is not None
        words = ["setpriv", "--pdeathsig", "TERM", program, *arguments]  # a killed test run leaves no daemon
        with (self.root / f"{name}-{len(self._daemons)}.out").open("wb") as said:
            self._daemons.append(subprocess.Popen(words, stdout=said, stderr=said, cwd=self.root))

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints; empty when it fails, as all do until the controller answers."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()

    def logs(self) -> str:
        """The ends of all daemons' logs."""
        files = [*self.root.glob("*.log"), *self.root.glob("*.out"), *(self.root / "munge").glob("log")]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-2000:]}" for file in files)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _until(condition: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(message)
        time.sleep(0.1)


def main() -> int:
    """Start, show, run, end. Returns the exit code."""
    if missing():
        install(*PACKAGES)
    if lacking := missing():
        print(f"no Slurm here: {', '.join(lacking)} not installed (apt-get install slurm-wlm munge)", file=sys.stderr)
        return 1
    nodes = TwoNodes()
    with suppress(KeyboardInterrupt), nodes:
        begun = time.monotonic()
        print(nodes.ask("sinfo"))
        answer = nodes.ask("srun", "--nodes=2", "printenv", "SLURMD_NODENAME")
        print(f"{answer}\nsrun answered after {time.monotonic() - begun:.1f} s")
        return 0 if len(set(answer.split())) == 2 else 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
