#!/usr/bin/env python3
"""reprise test on a stock kernel: commands that pass, fail, panic, hang and take too long; results in KTAP, cut off by a crash;
the same verdict and state twice; the recording replays to just before the panic."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import xml.etree.ElementTree

import runner

KTAP = """KTAP version 1
1..3
ok 1 first
    KTAP version 1
    # Subtest: suite
    1..2
    ok 1 inner
"""


class Test:
    def __init__(self, options, folder):
        self.options, self.folder, self.count = options, pathlib.Path(folder), 0
        self.environment = dict(os.environ)

    def run(self, name, code, *words, command):
        """Runs one, and returns standard output, standard error and the result."""
        self.count += 1
        out = self.folder / f"out{self.count}"
        done = subprocess.run(
            [str(word) for word in (self.options.reprise, "test", "-k", self.options.kernel, "--engine", self.options.engine,
                                    "--busybox", pathlib.Path(self.options.guests) / "busybox", "--wall-timeout", "600",
                                    "--out", out, *words, "--", *command)],
            env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=660)
        errors = done.stderr.decode(errors="replace")
        runner.expect(done.returncode == code, f"{name}: exit code {done.returncode}, not {code}: {errors[-3000:]}")
        result = out / "result.json"
        return done.stdout.decode(errors="replace"), errors, json.loads(result.read_text()) if result.exists() else {}


def check_commands(test):
    output, errors, result = test.run("pass", 0, "--env", "NAME=a b", command=["printf", "%s|", "x y", "$NAME", "it's"])
    runner.expect(output == "x y|$NAME|it's|", f"the output is {output!r}")
    runner.expect(result["verdict"] == "pass" and result["command_exit_code"] == 0, f"pass: {result}")
    runner.expect("Linux version" in (test.folder / "out1/kernel.log").read_text(), "kernel.log has no log of a kernel")
    output, errors, result = test.run("fail", 3, "--env", "NAME=a b", command=['echo "$NAME"; echo bad >&2; exit 3'])
    runner.expect(output == "a b\nbad\n" and result["verdict"] == "fail", f"fail: {output!r} {result}")
    test.run("code that is taken", 1, command=["exit 10"])
    test.run("pass-through", 10, "--exit-style", "pass-through", command=["exit 10"])
    test.run("bisect", 1, "--exit-style", "bisect", command=["exit 10"])
    test.run("program that is not there", 127, command=["/no/such/program", "x"])


def check_ends(test):
    words = ("--json", test.folder / "panic.json")
    output, errors, result = test.run("panic", 10, *words, command=["echo before; echo c > /proc/sysrq-trigger"])
    runner.expect(output == "before\n" and result["verdict"] == "panic", f"panic: {output!r} {result}")
    runner.expect((test.folder / "panic.json").read_text() == (test.folder / f"out{test.count}/result.json").read_text(),
                  "--json is another result than that in --out")
    reports = [report for report in result["kernel_reports"] if report["kind"] == "panic"]
    runner.expect(len(reports) == 1 and "sysrq triggered crash" in reports[0]["title"], f"panic: {result['kernel_reports']}")
    runner.expect(any("sysrq_handle_crash" in line for line in reports[0]["lines"]), "the report has no stack")
    # The replay stops before the line is printed.
    words = result["replay"].split()
    runner.expect(words[:2] == ["reprise", "replay"] and words[-1] == reports[0]["position"], f"replay: {result['replay']}")
    replay = subprocess.run([str(test.options.reprise), *words[1:], "--serial", "stdio"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
    runner.expect(replay.returncode == 0, f"the replay ends with {replay.returncode}: {replay.stderr.decode()}")
    console = replay.stdout.decode(errors="replace")
    runner.expect("Trigger a crash" in console and "Kernel panic" not in console, f"the replay ends elsewhere: {console[-500:]}")
    _, _, result = test.run("hang", 11, command=["halt -f"])
    runner.expect(result["verdict"] == "hang", f"hang: {result}")
    _, _, result = test.run("time-out", 12, "--timeout", "4", command=["while :; do :; done"])
    runner.expect(result["verdict"] == "time-out", f"time-out: {result}")
    _, _, result = test.run("reset", 14, command=["reboot -f"])
    runner.expect(result["verdict"] == "no-result", f"reset: {result}")
    _, errors, _ = test.run("bisect of what cannot be", 125, "--exit-style", "bisect", "--share", test.folder, command=["true"])
    runner.expect("CONFIG_9P_FS" in errors, f"a kernel without 9p is not told of: {errors}")


def check_results(test):
    root = test.folder / "root"
    (root / "bin").mkdir(parents=True)
    busybox = pathlib.Path(test.options.guests) / "busybox"
    (root / "bin/sh").write_bytes(busybox.read_bytes())
    (root / "bin/sh").chmod(0o755)
    (root / "crash.tap").write_text(KTAP)
    (root / "run").mkdir()
    script = 'while IFS= read -r line; do echo "$line"; done < /crash.tap; '
    junit = test.folder / "junit.xml"
    _, errors, result = test.run("cut off", 10, "--root", root, "--junit", junit, "--annotations", "github",
                                 command=[script + "echo c > /proc/sysrq-trigger"])
    counts = result["counts"]
    runner.expect((counts["passed"], counts["errors"]) == (2, 2), f"cut off: {counts}")
    suites = xml.etree.ElementTree.parse(junit).getroot()
    cases = {case.get("name"): [child.tag for child in case] for case in suites.iter("testcase")}
    runner.expect(cases["first"] == [] and cases["inner"] == [] and cases["test 3"] == ["error"], f"JUnit has {cases}")
    runner.expect(suites.get("errors") == "3", f"JUnit counts {suites.attrib}")
    runner.expect("::error title=suite.test 2::" in errors, f"no annotation: {errors}")
    # As kselftest runs a test, on busybox alone: with a tool of coreutils', and what it prints to the end of /dev/stdout.
    output, _, result = test.run("kselftest", 0, command=[
        "echo TAP version 13; echo 1..1; (((((/usr/bin/timeout --foreground 45 echo inner 2>&1; echo $? >&3) | sed -e 's/^/# /' >&4) 3>&1) | "
        "(read xs; exit $xs)) 4>>/dev/stdout && echo ok 1 selftests: size: get_size)"])
    runner.expect(output == "TAP version 13\n1..1\n# inner\nok 1 selftests: size: get_size\n" and result["counts"]["passed"] == 1,
                  f"kselftest: {output!r} {result['counts']}")
    # A list that was whole decides although the command ends with 0.
    (root / "fail.tap").write_text("TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n")
    _, _, result = test.run("not ok", 1, "--root", root, command=[script.replace("crash", "fail")])
    runner.expect(result["verdict"] == "fail" and result["command_exit_code"] == 0, f"not ok: {result}")
    # What LTP's programs print counts, too.
    (root / "ltp").write_text("a01.c:3: TPASS: good\na01.c:4: TFAIL: bad\nSummary:\npassed 1\nfailed 1\n")
    _, _, result = test.run("LTP", 1, "--root", root, command=[script.replace("crash.tap", "ltp")])
    runner.expect((result["counts"]["passed"], result["counts"]["failed"]) == (1, 1) and result["tests"][0]["name"] == "a01",
                  f"LTP: {result['tests']}")
    # The same is in the kernel's log.
    log = script.replace("crash", "fail").replace("done <", "done > /dev/kmsg <")
    _, _, result = test.run("not ok in the log", 1, "--root", root, command=[log])
    runner.expect(result["counts"]["failed"] == 1 and result["counts"]["passed"] == 1, f"in the log: {result['counts']}")


def check_reports(test):
    bug = 'echo "BUG: Bad page state in process x" > /dev/kmsg'
    _, errors, result = test.run("report", 1, command=[bug])
    runner.expect("the kernel reported bug @" in errors, f"report: {errors}")
    test.run("report that does not count", 0, "--fail-on", "-bug", command=[bug])
    warning = 'echo "WARNING: CPU: 0 PID: 1 at x.c:1 f" > /dev/kmsg'
    _, _, result = test.run("warning", 0, command=[warning])
    runner.expect([report["kind"] for report in result["kernel_reports"]] == ["warning"], f"warning: {result}")
    test.run("warning that counts", 1, "--fail-on", "+warning", command=[warning])


def check_same_run(test):
    results = []
    for _ in range(2):
        _, _, result = test.run("twice", 5, command=["date; ls -la /; cat /proc/interrupts; exit 5"])
        results.append({key: result[key] for key in ("verdict", "instructions", "virtual_ns", "state_hash", "position")})
        results[-1]["output"] = (test.folder / f"out{test.count}/output.log").read_bytes()
        results[-1]["log"] = (test.folder / f"out{test.count}/kernel.log").read_bytes()
        results[-1]["initramfs"] = (test.folder / f"out{test.count}/initramfs.cpio").read_bytes()
    for key, value in results[0].items():
        runner.expect(value == results[1][key], f"two runs have another {key}")


def check_costs(test):
    """The numbers are those of the run, whatever engine it is; what costs more than it may has failed."""
    base = test.folder / "base.json"
    command = 'echo "TAP version 13"; i=0; while [ $i -lt {} ]; do i=$((i+1)); done; echo "ok 1 loop"; cat /bin/busybox >/tmp/x; ' \
              'echo "ok 2 copy"; echo 1..2'
    _, errors, result = test.run("costs", 0, "--name", "t", "--json", base, command=[command.format(2000)])
    costs = result["costs"]["command"]
    runner.expect(0 < costs["instructions"] < result["costs"]["run"]["instructions"] == result["instructions"], f"costs: {result['costs']}")
    runner.expect(costs["tlb_misses"] > 0 and costs["exits"] > 0 and costs["disk_bytes"] == 0, f"costs: {costs}")
    runner.expect(f"costs: instructions {costs['instructions']}, TLB misses {costs['tlb_misses']}" in errors, f"costs: {errors}")
    loop, copy = (one["costs"]["instructions"] for one in result["tests"])
    runner.expect(0 < loop + copy < costs["instructions"], f"costs of {loop} and {copy} in {costs}")
    other = "interp" if test.options.engine == "jit" else test.options.engine
    _, errors, result = test.run("the same costs", 0, "--name", "t", "--compare", base, "--fail-over", "0%", "--engine", other,
                                 command=[command.format(2000)])
    runner.expect("cost:" not in errors and result["costs"]["command"] == costs, f"other costs: {errors}")
    _, errors, result = test.run("more costs", 1, "--name", "t", "--compare", base, "--fail-over", "0.5%", command=[command.format(4000)])
    runner.expect("cost: t/loop: instructions" in errors and "more than it may" in errors and result["verdict"] == "fail", f"more: {errors}")
    _, errors, _ = test.run("more costs, told of", 0, "--name", "t", "--compare", base, command=[command.format(4000)])
    runner.expect("cost: t/loop: instructions" in errors, f"more: {errors}")


def check_goes_on(test):
    """A run that SIGTERM ends, twice, goes on in the middle and comes to the end of one that was let be."""
    command = ['echo "TAP version 13"; for part in 1 2 3; do i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo "part $part" >/dev/kmsg; '
               'echo "ok $part"; date; done; echo 1..3; exit 7']
    _, _, whole = test.run("let be", 7, command=command)
    out = test.folder / "goes-on"
    words = [str(word) for word in (test.options.reprise, "test", "-k", test.options.kernel, "--engine", test.options.engine, "--busybox",
                                    pathlib.Path(test.options.guests) / "busybox", "--wall-timeout", "600", "--out", out, "--", *command)]
    for ended in range(2):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not process.stdout.readline().startswith("ok"):
            runner.expect(process.poll() is None, f"it ended early: {process.stderr.read() if process.poll() is not None else ''}")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        runner.expect(process.returncode == 75 and "the same command goes on" in errors, f"ended: {process.returncode} {errors}")
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=660)
    result = json.loads((out / "result.json").read_text())
    runner.expect(done.returncode == 7 and "ok 1" not in done.stdout, f"goes on: {done}")
    for key in whole:
        if key not in ("command", "replay"):
            runner.expect(whole[key] == result[key], f"another {key} than in one run: {result[key]} and {whole[key]}")
    for name in ("output.log", "kernel.log"):
        runner.expect((out / name).read_bytes() == (test.folder / f"out{test.count}" / name).read_bytes(), f"another {name}")
    # The recording begins with the state.
    replay = subprocess.run([str(test.options.reprise), "replay", str(out / "recording"), "--serial", "null"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=660)
    runner.expect(replay.returncode == 0, f"its replay ends with {replay.returncode}: {replay.stderr}")


def check_many_runs(test):
    """A command that fails under some seeds, done in one process, in two shards, and interrupted: the same results."""
    command = "x=$(od -An -N1 -tu1 /dev/urandom); echo $x; [ $x -lt 128 ]"
    busybox = pathlib.Path(test.options.guests) / "busybox"

    def start(out, *words):
        return subprocess.Popen([str(word) for word in (
            test.options.reprise, "test", "-k", test.options.kernel, "--engine", test.options.engine, "--busybox", busybox,
            "--wall-timeout", "600", "--seeds", "1..6", "--jobs", "2", "--out", test.folder / out, *words, "--", command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(process, codes):
        output, errors = process.communicate(timeout=1200)
        runner.expect(process.returncode in codes, f"many runs: exit code {process.returncode}: {errors[-2000:]}")
        return output.splitlines(), errors

    lines, _ = end(start("all", "--json", test.folder / "all.json"), (0, 1))
    verdicts = {line.split(":")[0].split()[1]: line.split()[0] for line in lines}
    runner.expect(list(verdicts) == [f"seed-{seed}" for seed in range(1, 7)], f"many runs: {lines}")
    runner.expect(set(verdicts.values()) == {"pass", "fail"}, f"the seeds make no difference: {verdicts}")
    # The line of a seed that failed runs it again.
    line = next(line for line in lines if line.startswith("fail"))
    words = line[line.index("reprise test"):].replace("reprise", str(test.options.reprise), 1)
    again = subprocess.run(["sh", "-c", words.replace(" -- ", f" --out={test.folder}/again -- ")], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=660)
    runner.expect(again.returncode == 1, f"the line ends with {again.returncode}: {again.stderr.decode()}")
    seed = line.split(":")[0].split()[1]
    hashes = [json.loads((test.folder / folder / "result.json").read_text())["state_hash"]
              for folder in ("again", f"all/{seed}")]
    runner.expect(hashes[0] == hashes[1], "the line of a failed seed is another run")
    # Two processes, in either order, joined.
    for shard in ("2/2", "1/2"):
        end(start("shards", "--shard", shard), (0, 1))
    merged = subprocess.run([str(test.options.reprise), "merge", str(test.folder / "shards"), "--json",
                             str(test.folder / "merged.json")], stderr=subprocess.PIPE, timeout=60)
    whole, joined = (json.loads((test.folder / name).read_text()) for name in ("all.json", "merged.json"))
    runner.expect(merged.returncode == whole["exit_code"] == 1, f"merge: {merged}")
    for key in ("name", "verdict", "state_hash", "instructions"):
        key = "test" if key == "name" else key
        runner.expect([run[key] for run in whole["runs"]] == [run[key] for run in joined["runs"]], f"merge: other {key}")
    # One that is ended goes on where it was.
    process = start("ended")
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = end(process, (75,))
    runner.expect("goes on" in errors, f"ended: {errors}")
    kept = {path.parent.name: path.stat().st_mtime_ns for path in (test.folder / "ended").glob("*/result.json")}
    runner.expect(first.split(":")[0].split()[1] in kept, f"ended: {first} of {kept}")
    lines_again, errors = end(start("ended"), (0, 1))
    runner.expect("were done before" in errors, f"goes on: {errors}")
    runner.expect([line.split(":")[0] for line in lines_again] == [line.split(":")[0] for line in lines], "goes on: others")
    for name, time in kept.items():
        runner.expect((test.folder / "ended" / name / "result.json").stat().st_mtime_ns == time, f"{name} ran again")


def check_snapshot(test):
    """From one saved state: the same verdicts as from a boot, another command each time, twice the same run."""
    test.environment["XDG_CACHE_HOME"] = str(test.folder / "cache")
    from_snapshot = ("--from-snapshot", "auto")
    output, _, result = test.run("snapshot", 0, *from_snapshot, "--env", "A=x  y", command=["printf", "%s|", "a b", "it's"])
    runner.expect(output == "a b|it's|" and result["verdict"] == "pass", f"snapshot: {output!r} {result}")
    output, _, result = test.run("snapshot", 3, *from_snapshot, "--env", "A=x  y", command=['echo "$A"; exit 3'])
    runner.expect(output == "x  y\n", f"snapshot: {output!r}")
    states = list((test.folder / "cache").rglob("state"))
    runner.expect(len(states) == 1, f"there are states {states}")
    test.run("snapshot", 10, *from_snapshot, command=["echo c > /proc/sysrq-trigger"])
    hashes = [test.run("snapshot", 0, *from_snapshot, command=["date"])[2]["state_hash"] for _ in range(2)]
    runner.expect(hashes[0] == hashes[1], "two runs from a state differ")


def check_words(test):
    for words, part in ((["test", "--", "true"], "-k FILE"), (["test", "-k", "x"], "behind --"),
                        (["test", "-k", "x", "word", "--", "true"], "'word'"),
                        (["test", "-k", "x", "--fail-on", "nothing", "--", "true"], "'nothing'"),
                        (["test", "-k", "x", "--env", "1=2", "--", "true"], "'1=2'")):
        done = subprocess.run([str(test.options.reprise), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        runner.expect(done.returncode == 2 and part in done.stderr.decode(), f"{words}: {done.returncode} {done.stderr.decode()}")


def test_all(options):
    with tempfile.TemporaryDirectory() as folder:
        test = Test(options, folder)
        for check in (check_words, check_commands, check_ends, check_results, check_reports, check_same_run, check_costs, check_goes_on, check_snapshot,
                      check_many_runs):
            check(test)


runner.main(test_all, __doc__, guest_may_be_missing=True)
