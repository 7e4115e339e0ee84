#!/usr/bin/env python3
"""The program with its outputs closed, full, hung up and slow: the run goes on, the report is written, the end names what was
lost, and the exit code is 20. No file of the user's gets what was meant for another."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import time

import runner

LOST = 20
STOP = 300_000_000


class Case:
    def __init__(self, options, folder):
        self.folder = pathlib.Path(folder)
        self.report_path = self.folder / "report.json"
        self.words = [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--memory", "256M",
                      "--engine", options.engine, "--append", "console=ttyS0", "--json", self.report_path]

    def command(self, *more):
        return [str(word) for word in (*self.words, *more)]

    def report(self):
        return json.loads(self.report_path.read_text())

    def lost(self):
        return {loss["output"]: loss["why"] for loss in self.report()["lost"]}

    def run(self, *more, stop=True, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.DEVNULL)
        how.setdefault("stderr", subprocess.PIPE)
        words = self.command(*(["--stop-at", STOP] if stop else []), *more)
        return subprocess.run(words, timeout=300, text=True, **how)


def check(case, run, output, why):
    report = case.report()
    runner.expect(run.returncode == LOST, f"exit code {run.returncode} instead of {LOST}")
    runner.expect(report["exit_reason"] == "stop-at" and report["exit_code"] == LOST,
                  f"the report says {report['exit_reason']}, {report['exit_code']}")
    runner.expect(case.lost().get(output) == why, f"lost: {case.lost()}")


def full_disk(case):
    with open("/dev/full", "w") as full:
        run = case.run(stdout=full)
        check(case, run, "standard output", "No space left on device")
        runner.expect("standard output lost" in run.stderr, run.stderr)
        check(case, case.run("--hash-every", 50_000_000, stderr=full), "standard error", "No space left on device")
        check(case, case.run("--stats", stderr=full), "standard error", "No space left on device")
        check(case, case.run("--trace", "pio", stderr=full), "standard error", "No space left on device")
        check(case, case.run("--dump-screen", "-", "--serial", "null", stdout=full), "standard output",
              "No space left on device")
    check(case, case.run("--serial", "file:/dev/full"), "serial file '/dev/full'", "No space left on device")
    check(case, case.run("--dump-screen", "/dev/full"), "screen dump '/dev/full'", "No space left on device")
    run = case.run("--json", "/dev/full")
    runner.expect(run.returncode == LOST and "report '/dev/full' lost" in run.stderr, run.stderr)


def closed_descriptors(case):
    image = case.folder / "disk.img"
    content = bytes(range(256)) * 4096
    image.write_bytes(content)

    def close_all():
        for descriptor in range(3):
            os.close(descriptor)

    run = subprocess.run(case.command("--stop-at", STOP, "--disk", f"{image},write=yes"), preexec_fn=close_all, timeout=300)
    check(case, run, "standard output", "it was closed")
    runner.expect(image.read_bytes() == content, "the disk image was written")


def reader_that_leaves(case):
    with subprocess.Popen(case.command("--stop-at", STOP, "--hash-every", "20000000"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        run.stderr.readline()
        run.stderr.close()
        run.wait(300)
    check(case, run, "standard error", "Broken pipe")


def reader_that_never_reads(case):
    read, write = os.pipe()
    begin = time.monotonic()
    run = case.run("--wall-timeout", "3", "--trace", "pio,mmio", stop=False, stderr=write)
    os.close(read)
    os.close(write)
    runner.expect(time.monotonic() - begin < 60, "it waited for the reader")
    runner.expect(run.returncode == LOST, f"exit code {run.returncode}")
    runner.expect(case.report()["exit_reason"] == "wall-timeout", str(case.report()["exit_reason"]))
    runner.expect(case.lost() == {"standard error": "nobody reads it"}, str(case.lost()))


def reader_that_is_slow(case):
    plain = case.run(stdout=subprocess.PIPE)
    with subprocess.Popen(case.command("--stop-at", STOP), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, pipesize=4096, text=True) as run:
        time.sleep(4)
        slow = run.stdout.read()
        run.wait(300)
    runner.expect(run.returncode == 0 and slow == plain.stdout and len(slow) > 4096, "not all of it arrived")


def texts_on_request(case):
    for words in (["--help"], ["run", "--help"], ["--version"], ["image", "--help"], ["manual", "man"]):
        with open("/dev/full", "w") as full:
            run = subprocess.run([case.words[0], *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        runner.expect(run.returncode == LOST and "standard output lost" in run.stderr, f"{words}: {run.stderr}")


def killed(case):
    with subprocess.Popen(case.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as run:
        time.sleep(2)
        runner.expect(case.report()["exit_reason"] == "unfinished", "the report does not say that the run goes on")
        run.kill()
        run.wait(60)
    runner.expect(case.report()["exit_reason"] == "unfinished", "the report says more than is known")
    with subprocess.Popen(case.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as run:
        time.sleep(2)
        run.terminate()
        said = run.stderr.read()
        run.wait(60)
    runner.expect(run.returncode == 128 + signal.SIGTERM and "SIGTERM" in said, f"{run.returncode}: {said}")
    runner.expect(case.report()["exit_reason"] == "signal", str(case.report()["exit_reason"]))


def signals(case):
    """Each ends the run with its name in sentence, report and code, at whatever moment it comes."""
    def sent(number, after, prepare=None):
        case.report_path.unlink(missing_ok=True)
        with subprocess.Popen(case.command("--serial", "null"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, preexec_fn=prepare) as run:
            end = time.monotonic() + 60
            while not case.report_path.exists() or case.report_path.stat().st_size == 0:
                runner.expect(time.monotonic() < end, "no report was begun")
            time.sleep(after)
            run.send_signal(number)
            said = run.stderr.read()
            run.wait(60)
        name = signal.Signals(number).name
        runner.expect(run.returncode == 128 + number and f"ended by {name}" in said, f"{name}: {run.returncode}: {said}")
        report = case.report()
        runner.expect((report["exit_reason"], report["exit_code"]) == ("signal", 128 + number), f"{name}: {report}")

    for after in (0, 0.02, 0.05, 0.1, 1):
        sent(signal.SIGTERM, after)
    for number in (signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGPROF):
        sent(number, 0.5)
    # As a shell without job control starts a background job.
    sent(signal.SIGINT, 0.5, lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))

    with subprocess.Popen(case.command("--stop-at", STOP), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
        time.sleep(0.3)
        run.send_signal(signal.SIGHUP)
        run.wait(300)
    runner.expect(run.returncode == 0, f"a hang-up that is ignored: {run.returncode}")


def signals_at_the_start(case):
    """From the first instruction on: who is not simply ended by it leaves a report."""
    reports = 0
    for step in range(40):
        case.report_path.unlink(missing_ok=True)
        with subprocess.Popen(case.command("--serial", "null"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as run:
            time.sleep(0.0005 * step * (1 + step / 10))
            run.terminate()
            run.wait(60)
        if run.returncode == -signal.SIGTERM:
            runner.expect(not case.report_path.exists(), "a report was begun and not ended")
            continue
        reports += 1
        runner.expect(run.returncode == 128 + signal.SIGTERM, f"exit code {run.returncode}")
        runner.expect(case.report()["exit_reason"] == "signal", str(case.report()))
    runner.expect(reports > 0, "no signal came after the start")


def fifo_without_a_reader(case):
    fifo = case.folder / "fifo"
    os.mkfifo(fifo)
    serial = ["--serial", f"file:{fifo}"]
    run = case.run(*serial, "--wall-timeout", "1.5")
    runner.expect(run.returncode == 21 and f"'{fifo}' is a FIFO that nobody reads" in run.stderr, f"{run.returncode}: {run.stderr}")
    runner.expect(case.report()["exit_reason"] == "wall-timeout", str(case.report()))
    run = case.run("--serial", "null", "--json", fifo, "--wall-timeout", "0.5")
    runner.expect(run.returncode == 21, f"{run.returncode}: {run.stderr}")
    with subprocess.Popen(case.command(*serial), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as run:
        time.sleep(0.5)
        run.terminate()
        run.communicate(timeout=60)
    runner.expect(run.returncode == 128 + signal.SIGTERM and case.report()["exit_reason"] == "signal", str(run.returncode))
    with subprocess.Popen(case.command(*serial, "--stop-at", STOP), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        time.sleep(0.5)
        text = fifo.read_text()
        run.wait(60)
    runner.expect(run.returncode == 0 and "Linux version" in text, f"{run.returncode}: {text[:200]}")


def capture_to_a_fifo(case):
    """Frames of the network, which somebody may look at while they pass."""
    fifo = case.folder / "frames"
    os.mkfifo(fifo)
    words = ["--serial", "null", "--net", "user,restrict=yes", "--net-dump", fifo]
    run = case.run(*words, "--wall-timeout", "0.5")
    runner.expect(run.returncode == 21 and f"'{fifo}' is a FIFO that nobody read" in run.stderr, f"{run.returncode}: {run.stderr}")
    with subprocess.Popen(case.command(*words, "--stop-at", STOP), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        capture = fifo.read_bytes()
        run.wait(60)
    runner.expect(run.returncode == 0 and capture.startswith(bytes.fromhex("4d3cb2a102000400")), f"{run.returncode}: {capture[:24]}")
    with subprocess.Popen(case.command(*words, "--stop-at", STOP), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        fifo.open("rb").close()
        run.wait(60)
    # Nothing may have been left to write when its reader had gone.
    runner.expect(run.returncode in (0, LOST), f"{run.returncode}")
    run = case.run("--serial", "null", "--net", "user,restrict=yes", "--net-dump", "/dev/full")
    check(case, run, "capture '/dev/full'", "No space left on device")


def limit_of_file_size(case):
    def limit(count):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))

    run = case.run("--serial", f"file:{case.folder / 'console'}", preexec_fn=limit(4096))
    check(case, run, f"serial file '{case.folder / 'console'}'", "a limit on the size of files was reached (ulimit -f)")
    run = case.run("--serial", "null", preexec_fn=limit(200))
    runner.expect(run.returncode == LOST and "report" in run.stderr and "ulimit -f" in run.stderr, run.stderr)
    runner.expect(case.report() == {"exit_reason": "stop-at", "exit_code": LOST}, str(case.report()))
    case.run("--serial", "null", preexec_fn=limit(20))
    runner.expect(case.report_path.read_text() == "", "a part of a report")


def out_of_memory(case):
    """Address space is taken away in steps, so that it ends before the guest has its memory, and while it runs."""
    codes = set()
    for mib in (100, 300, 400, 420, 440, 460, 480, 520, 560, 600, 800):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

        run = case.run("--serial", "null", preexec_fn=limit)
        codes.add(run.returncode)
        runner.expect(run.returncode in (0, LOST), f"exit code {run.returncode} with {mib} MiB: {run.stderr}")
        runner.expect("memory" in run.stderr or run.returncode == 0, f"{mib} MiB: {run.stderr}")
        runner.expect(case.report()["exit_code"] == run.returncode, f"{mib} MiB: the report says {case.report()['exit_code']}")
    runner.expect(codes == {0, LOST}, f"exit codes {codes}")


def ends_as_expected(case):
    halt = ["--append", "console=ttyS0 reprise.exec=/bin/true"]
    runner.expect(case.run(*halt, "--expect", "poweroff", stop=False).returncode == 0, "a power-off that was expected")
    run = case.run(*halt, "--expect", "reset", stop=False)
    runner.expect(run.returncode == 16 and "switched itself off; --expect reset was given" in run.stderr,
                  f"{run.returncode}: {run.stderr}")
    reboot = ["--append", "console=ttyS0 reprise.exec=/bin/reboot reboot=t"]
    runner.expect(case.run(*reboot, "--expect", "reset", stop=False).returncode != 0, "a triple fault is no reset")
    panic = ["--append", "panic=-1 reprise.exec=/none init=/none rdinit=/none root=/dev/none"]
    run = case.run(*panic, stop=False)
    runner.expect(run.returncode == 10 and "Kernel panic" in run.stderr,
                  f"a panic without a serial console: {run.returncode}: {run.stderr}")
    runner.expect(case.run(*panic, "--expect", "panic", stop=False).returncode == 0, "a panic that was expected")


def test(options):
    for body in (full_disk, closed_descriptors, reader_that_leaves, reader_that_never_reads, reader_that_is_slow,
                 texts_on_request, killed, signals, signals_at_the_start, fifo_without_a_reader, capture_to_a_fifo, limit_of_file_size, out_of_memory, ends_as_expected):
        print(body.__name__, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            body(Case(options, folder))


runner.main(test, __doc__)
