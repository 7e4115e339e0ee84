#!/usr/bin/env python3
"""The walks of docs/debugging.md from the crash of a kernel back to its bug, on Debian's stock kernel: gdb gets the page's commands, and says
what the page says. Numbers may be others, as with the next version of the kernel."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import runner

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/debugging.md"
CHAPTER = "## A kernel bug, from its crash backwards\n"
SCRIPT = ROOT / "frontend/gdb/reprise-gdb.py"
MARK = "command number "


def walks():
    """{name of the bug: (words of `reprise run`, [(command, lines that gdb says)])} of the page."""
    chapter = PAGE.read_text().split(CHAPTER, 1)[1].split("\n## ")[0]
    found = {}
    for part in chapter.split("\n### ")[1:]:
        lines = [line[4:] for line in part.splitlines() if line.startswith("    ")]
        begin = " ".join(lines[:2]).replace("\\", "").rstrip("& ")
        words = shlex.split(begin.split("reprise run ", 1)[1])
        commands = []
        for line in lines[2:]:
            if line.startswith("(gdb) "):
                commands.append((line[6:], []))
            elif commands:
                commands[-1][1].append(line)
        found[re.search(r"reprise\.bug=(\w+)", begin)[1]] = (words, commands)
    return found


def pattern_of(line):
    """What gdb says for a line of the page: any numbers, and anything for "..."."""
    pattern = re.escape(" ".join(line.split()))
    pattern = pattern.replace(re.escape("..."), ".*")
    pattern = re.sub(r"0x[0-9a-f]+", "0x[0-9a-f]+", pattern)
    pattern = re.sub(r"(?<![\w\[])[0-9a-f]{16}", "[0-9a-f]{16}", pattern)
    return re.sub(r"(?<![\w\-\]{])\d+(?![\w\-}])", r"\\d+", pattern)


def debug(options, folder, words, commands):
    """What gdb says, by command."""
    path = folder / "gdb.socket"
    path.unlink(missing_ok=True)
    at = words.index("--gdb")
    words = [*words[:at], *words[at + 2:], "--gdb", f"unix:{path}", "--memory", "512M", "--wall-timeout", "1500"]
    words = [f"file:{folder / 'console'}" if word == "file:console" else word for word in words]
    run = subprocess.Popen([str(pathlib.Path(options.reprise).resolve()), "run", *words], cwd=options.kernel_debug, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 60
        while not path.exists():
            runner.expect(run.poll() is None, f"the run ended early: {run.stdout.read() if run.poll() is not None else ''}")
            runner.expect(time.monotonic() < end, "the debugger's socket did not appear")
            time.sleep(0.05)
        gdb = ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set width 0",
               "-ex", f"target remote {path}"]
        for number, command in enumerate([*commands, "kill"]):
            gdb += ["-ex", f"echo {MARK}{number}\\n", "-ex", command.replace("reprise-gdb.py", str(SCRIPT))]
        done = subprocess.run(gdb, cwd=options.kernel_debug, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=1400)
        run.wait(timeout=60)
    finally:
        run.kill()
    parts = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.MULTILINE)[1:]
    runner.expect(len(parts) == len(commands) + 1, f"gdb: {done.stdout}")
    return parts


def walk(options, folder, words, commands):
    said = debug(options, folder, words, [command for command, _ in commands])
    for (command, wanted), text in zip(commands, said):
        lines = [" ".join(line.split()) for line in text.splitlines()]
        for line in wanted:
            pattern = re.compile(pattern_of(line))
            runner.expect(any(pattern.fullmatch(one) for one in lines), f"{command}: the page says\n{line}\nand gdb\n{text}")


def scripts(options, folder):
    """The kernel's own scripts, and its functions by name, under KASLR."""
    words = ["--kernel", "vmlinuz", "--initrd", "initramfs.img", "--append", "console=ttyS0 quiet oops=panic reprise.bug=lamp", "--serial",
             "file:console", "--symbols", "vmlinux", "--gdb", "", "--paused"]
    commands = ["monitor kaslr", "continue", "source reprise-gdb.py", "reprise-symbols", "source vmlinux-gdb.py", "lx-symbols bugs", "lx-ps",
                "lx-dmesg", "lx-lsmod", "lx-version", "print $lx_current().comm", "info line lamp_blink", "monitor kaslr"]
    said = dict(zip(commands, debug(options, folder, words, commands)))
    for command, wanted in (("lx-ps", r"0xffff\w+ +1 +init\b"), ("lx-ps", r"\bkthreadd\b"), ("lx-dmesg", "Kernel panic - not syncing"),
                            ("lx-lsmod", r"0xffffffff\w+ lamp +\d+"), ("lx-version", "Linux version"), ("print $lx_current().comm", "swapper/0"),
                            ("info line lamp_blink", r"lamp\.c"), ("monitor kaslr", "slide 0x[1-9]")):
        runner.expect(re.search(wanted, said[command]), f"{command}: {said[command]}")


def test(options):
    if shutil.which("gdb") is None:
        print("SKIP: there is no gdb; Debian's package gdb has it")
        sys.exit(77)
    if not (options.kernel_debug / "stamp").exists():
        print("SKIP: there is no kernel with its symbols; ./dev images --long makes it")
        sys.exit(77)
    parts = {"scripts": lambda folder: scripts(options, folder)}
    for bug, (words, commands) in walks().items():
        parts[bug] = lambda folder, words=words, commands=commands: walk(options, folder, words, commands)
    runner.expect(set(parts) == {"scripts", "lamp", "queue", "dice"}, f"the page has {sorted(parts)}")
    for name, part in parts.items():
        if options.part in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    part(pathlib.Path(folder))
                except runner.Failure as failure:
                    raise runner.Failure(f"{name}: {failure}") from failure
            print(f"{name}: as it should be")


def add_arguments(parser):
    parser.add_argument("--part")
    parser.add_argument("--kernel-debug", type=pathlib.Path, default=ROOT / "build/kernel-debug", help="what build_debug_guest.py made")


if __name__ == "__main__":
    runner.main(test, __doc__, add_arguments)
