"""A Slurm cluster of one node on loopback: munge, slurmctld and slurmd, started without systemd."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.support import until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun")
CORES = 2
START_S = 60.0
LOOK_S = 1.0  # between two looks at the node
PR_SET_PDEATHSIG = 1
CONFIG = """ClusterName=tests
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket,cred_expire=5
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=2
MessageTimeout=5
SlurmctldTimeout=30
SlurmdTimeout=10
InactiveLimit=0
MinJobAge=300
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={node} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory}
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE DefMemPerCPU=200 PriorityTier=1
PartitionName=urgent Nodes={node} MaxTime=INFINITE DefMemPerCPU=200 PriorityTier=9
PartitionName=closed Nodes={node} MaxTime=INFINITE State=DOWN
"""


def missing() -> str:
    """Why Slurm cannot be started here; "" if it can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if absent := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        return f"{', '.join(absent)} not found; install slurm-wlm and munge (.ci/run does)"
    return "" if os.getuid() == 0 else "slurmd starts jobs for others, so this suite has to run as root"


class Site:
    """One node. Every daemon is a child of this process, and may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.node = folder, socket.gethostname().partition(".")[0]
        self._looked = -LOOK_S
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def config(self) -> Path:
        return self.folder / "slurm.conf"

    def start(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        ports = _free_ports(2)
        memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20 * 0.9)
        places = {"folder": self.folder, "node": self.node, "cores": CORES, "memory": memory}
        self.config.write_text(CONFIG.format(**places, control_port=ports[0], node_port=ports[1]))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self._start_munge()
        self.up("slurmctld")
        self.up("slurmd")
        self.wait_for_node()

    def stop(self) -> None:
        for name in ("slurmd", "slurmctld", "munged"):
            self.kill(name, signal.SIGTERM)

    def up(self, name: str) -> None:
        """Start slurmctld or slurmd."""
        more = ["-N", self.node] if name == "slurmd" else []
        self._spawn(name, [name, "-D", "-f", str(self.config), *more])

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends a daemon, and waits until it has ended."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_for_node(self) -> None:
        works = ("idle", "mixed", "allocated")
        node = ("sinfo", "-h", "-p", "main", "-o", "%T")
        until(lambda: self.resume_node() or self.says(*node) in works, START_S)

    def resume_node(self) -> None:
        """Resumes the node if Slurm has drained it, as an administrator would.

        A controller that was killed starts tasks again that it does not remember. The node then has two jobs of the
        same number, and is drained.
        """
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        if "drain" in self.says("sinfo", "-h", "-p", "main", "-o", "%T"):
            self.says("scontrol", "update", f"NodeName={self.node}", "State=RESUME")

    def says(self, *command: str) -> str:
        """What one of Slurm's commands prints; "" if it fails."""
        env = {**os.environ, "SLURM_CONF": str(self.config)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""

    def _start_munge(self) -> None:
        place = self.folder / "munge"
        place.mkdir(mode=0o755)
        key = place / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for path in (place, key):
            shutil.chown(path, "munge", "munge")
        files = [f"--{name}-file={place / name}" for name in ("pid", "log", "seed")]
        arguments = ["--foreground", f"--socket={place / 'munge.socket'}", f"--key-file={key}", *files]
        self._spawn("munged", ["munged", *arguments], user="munge")
        until((place / "munge.socket").exists, START_S)

    def _spawn(self, name: str, command: list[str], **how: str) -> None:
        program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, name
        with open(self.folder / f"{name}.out", "ab") as said:
            self._running[name] = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd="/",
                preexec_fn=_die_with_us,
                **how,
            )


def _die_with_us() -> None:
    """Makes the kernel end a daemon with this process, so that a killed test leaves none."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_sockets]
    for server in with_sockets:
        server.close()
    return ports
