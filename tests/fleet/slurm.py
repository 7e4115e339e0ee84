#!/usr/bin/env python3
"""docs/fleet.md on Debian's own Slurm, a cluster of this machine alone: an array of seeds, of which one task is requeued in the middle and one
is killed, gives the results of one process; and so does GNU parallel."""

import argparse
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SEEDS = "1..12"
# Long enough to be interrupted; another verdict for some seeds.
COMMAND = "x=$(od -An -N1 -tu1 /dev/urandom); i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; [ $x -lt 200 ]"

SLURM_CONF = """ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
MpiDefault=none
JobRequeue=1
KillWait=60
ReturnToService=2
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"{what} did not come in {seconds} s")
        time.sleep(0.2)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    """munged, slurmctld and slurmd of our own, under a folder of their own."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self):
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
                   f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
                   "--num-threads=2")
        wait_for("munge's socket", 30, (folder / "munge.socket").exists)
        host = socket.gethostname().split(".")[0]
        (folder / "slurm.conf").write_text(SLURM_CONF.format(host=host, port=free_port(), slurmd_port=free_port(), folder=folder,
                                                             user=getpass.getuser()))
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D", "-N", host)
        try:
            wait_for("the node", 60, lambda: "idle" in self.ask("sinfo", "-h", "-o", "%t"))
        except Failure as failure:
            raise Failure(f"{failure}: {self.said()}") from failure
        return self

    def __exit__(self, *what):
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, program, *words):
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        log = open(self.folder / f"{program}.said", "wb")
        self.started.append(subprocess.Popen([path, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             cwd=self.folder))

    def ask(self, *words):
        done = subprocess.run(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return done.stdout

    def said(self):
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.said")) +
                         sorted(self.folder.glob("slurm*.log")))


def results_of(options, out):
    path = out.parent / f"{out.name}.json"
    done = subprocess.run([options.reprise, "merge", str(out), "--json", str(path)], stderr=subprocess.PIPE, text=True, timeout=120)
    runs = json.loads(path.read_text())["runs"]
    return done.returncode, [(run["test"], run["verdict"], run["state_hash"], run["instructions"], run["costs"]) for run in runs]


def words_of(options, out, *words):
    return [options.reprise, "test", "-k", str(options.kernel), "--busybox", str(options.busybox), "--engine", options.engine, "--memory", "128M",
            "--seeds", SEEDS, "--out", str(out), *words, "--", COMMAND]


def by_slurm(options, cluster, folder):
    out = folder / "slurm-out"
    cluster.environment.update(KERNEL=str(options.kernel), SEEDS=SEEDS, OUT=str(out), COMMAND=COMMAND, REPRISE=options.reprise,
                               OPTIONS=f"--busybox {options.busybox} --engine {options.engine} --memory 128M")
    # Of the script as it is; only how much of this machine it takes is said here.
    job = cluster.ask("sbatch", "--parsable", "--array=1-4", "--cpus-per-task=1", "--mem-per-cpu=10", f"--output={folder}/task-%a.log",
                      f"--chdir={folder}", str(HERE / "slurm.sbatch")).strip()
    expect(job.isdigit(), f"sbatch says {job!r}\n{cluster.said()}")

    def state(task):
        return cluster.ask("squeue", "-h", "-j", f"{job}_{task}", "-o", "%T").strip()

    def running(task):
        return any((out / f"shard-{task}-of-4").glob("seed-*/recording"))

    # The one is ended by SIGTERM and started again by Slurm, the other loses its process as if its node had failed.
    wait_for("the second task", 300, lambda: running(2))
    cluster.ask("scontrol", "requeue", f"{job}_2")
    wait_for("the third task", 300, lambda: running(3))
    time.sleep(1)
    cluster.ask("scancel", "--signal=KILL", "--full", f"{job}_3")
    wait_for("the end of the killed task", 120, lambda: state(3) not in ("RUNNING", "COMPLETING", "PENDING"))
    cluster.ask("scontrol", "requeue", f"{job}_3")
    wait_for("the end of all", 1500, lambda: not cluster.ask("squeue", "-h", "-j", job, "-o", "%T").replace("COMPLETED", "").replace("FAILED", "").strip())
    logs = {task: (folder / f"task-{task}.log").read_text() for task in (1, 2, 3, 4)}
    expect("goes on with the others" in logs[2], f"the requeued task was not told to end: {logs[2]}")
    return results_of(options, out)


def by_parallel(options, folder):
    out = folder / "parallel-out"
    words = words_of(options, out, "--shard", "{}/3", "--jobs", "1")
    quoted = [word if word == "{}/3" else subprocess.list2cmdline([word]) for word in words]
    done = subprocess.run(["parallel", "--will-cite", "-q", "--jobs", "2", *words, ":::", "1", "2", "3"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1800)
    expect(done.returncode <= 3, f"parallel ends with {done.returncode}: {done.stderr[-2000:]} {quoted}")
    return results_of(options, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--guests", type=pathlib.Path, default=pathlib.Path("build/guests"))
    parser.add_argument("--part", choices=("slurm", "parallel"))
    options = parser.parse_args()
    options.reprise = str(pathlib.Path(options.reprise).resolve())
    options.kernel, options.busybox = (options.guests / "vmlinuz").resolve(), (options.guests / "busybox").resolve()
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "parallel") if shutil.which(name, path=path) is None]
    if missing or not options.kernel.exists():
        print(f"SKIP: {missing or options.kernel} not there: Debian's packages slurm-wlm, munge and parallel, and ./dev, have them")
        return 77
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            whole = folder / "whole"
            subprocess.run(words_of(options, whole, "--jobs", "2"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=1800)
            wanted = results_of(options, whole)
            expect(len(wanted[1]) == 12 and {run[1] for run in wanted[1]} == {"pass", "fail"}, f"one process: {wanted}")
            if options.part != "slurm":
                expect(by_parallel(options, folder) == wanted, "GNU parallel gives other results")
            if options.part != "parallel":
                (folder / "cluster").mkdir()
                with Cluster(folder / "cluster") as cluster:
                    came = by_slurm(options, cluster, folder)
                expect(came == wanted, f"Slurm gives other results: {came} and {wanted}")
    except Failure as failure:
        print(f"FAIL: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
