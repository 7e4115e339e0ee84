#!/usr/bin/env python3
"""--symbols on stock Linux that KASLR has moved: a list of names from a run without KASLR names where the kernel is when it panics,
and the processes on the page of --report, as that kernel itself does."""

import pathlib
import re
import subprocess
import tempfile

import memory_report
import runner

NAMES = ["_text", "_stext", "_end", "entry_SYSCALL_64", "asm_exc_page_fault", "panic", "delay_tsc", "do_idle", "current_task", "pcpu_hot",
         "__start_BTF", "__stop_BTF", "do_syscall_64", "clear_user", "__clear_user", "jiffies_64"]


def shell(options, append, script, *words):
    command = [options.reprise, "run", "--engine", options.engine, "--wall-timeout", "300", "--kernel", options.kernel, "--initrd",
               options.initrd, "--memory", "256M", "--append", f"console=ttyS0 quiet {append}", *words]
    return subprocess.run([str(word) for word in command], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=400)


def symbols_in(text):
    return re.findall(r"^([0-9a-f]{16}) (\w) (\w+)\r?$", text, re.MULTILINE)


def panic(options, folder, names, symbols, append):
    """A moved kernel that panics; with page-table isolation programs run without the kernel's tables."""
    page = folder / "page.html"
    run = shell(options, append, "echo c >/proc/sysrq-trigger\n", "--symbols", symbols, "--report", page)
    runner.expect(run.returncode == 10, f"exit code {run.returncode}: {run.stderr}")
    said = re.search(r"Kernel Offset: 0x([0-9a-f]+) from", run.stdout)
    slide = int(said[1], 16) if said else 0
    runner.expect(slide != 0, f"KASLR has not moved the kernel: {run.stdout}")
    place = re.search(r"^processor 0 is at 0x([0-9a-f]+), (\w+)\+0x([0-9a-f]+)$", run.stderr, re.MULTILINE)
    runner.expect(place, f"nothing says where the kernel is: {run.stderr}")
    at = int(place[1], 16) - slide
    nearest = max((address, name) for name, address in names.items() if address <= at)
    runner.expect(place[2] in (nearest[1], "_text", "_stext") and at - int(place[3], 16) == nearest[0],
                  f"{at:#x} is {nearest}, not {place[0]}")
    data = memory_report.Page(page).data
    programs = set(data["names"].values())
    runner.expect("init [1]" in programs and any(re.fullmatch(r"sh \[\d+\]", name) for name in programs), f"programs are {programs}")
    executed = {space["name"]: space["executed"] for space in data["spaces"]}
    runner.expect(executed["init [1]"].endswith("init"), f"executed: {executed}")


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        listing = f"grep -E ' ({'|'.join(NAMES)})$' /proc/kallsyms\n"
        linked = symbols_in(shell(options, "nokaslr", listing + "exit\n").stdout)
        names = {name: int(address, 16) for address, _, name in linked}
        runner.expect({"_text", "_end", "panic", "asm_exc_page_fault", "__start_BTF"} <= set(names), f"symbols: {linked}")
        symbols = folder / "System.map"
        symbols.write_text("".join(f"{' '.join(one)}\n" for one in linked))

        for isolation in ("", "pti=on"):
            panic(options, folder, names, symbols, isolation)


if __name__ == "__main__":
    runner.main(test, __doc__)
