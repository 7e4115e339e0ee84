#!/usr/bin/env python3
"""--coverage FILE.info of a small kernel with DWARF: which lines and functions of its source were executed. What has no DWARF, and what
is damaged, is refused in a sentence."""

import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "boot"))
import runner  # noqa: E402

SOURCE = """\
asm(".section .multiboot,\\"a\\"; .long 0x1badb002, 0, -0x1badb002; .text; .globl _start; _start: mov $0x180000,%esp; call run");
static volatile int value = 3;
__attribute__((noinline)) static int twice(int x) {
  return x * 2;
}
__attribute__((noinline)) static int never(int x) {
  return x / 2;
}
__attribute__((noinline)) static void end(void) {
  asm volatile("outb %0, %1" : : "a"((char)0), "Nd"((short)0xf4));
}
void run(void) {
  if (value == 4)
    value = never(value);
  else
    value = twice(value);
  end();
}
"""


def line_of(text):
    return 1 + next(i for i, line in enumerate(SOURCE.split("\n")) if line.strip() == text)


def build(folder, *words):
    source, kernel, script = folder / "kernel.c", folder / "kernel.elf", folder / "kernel.ld"
    source.write_text(SOURCE)
    script.write_text("ENTRY(_start) SECTIONS { . = 0x100000; .text : { *(.multiboot) *(.text*) } .data : { *(.data*) *(.bss*) }"
                      " /DISCARD/ : { *(.note*) *(.eh_frame*) *(.comment) } }")
    subprocess.run(["gcc", "-m32", "-march=i686", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fcf-protection=none",
                    "-fno-asynchronous-unwind-tables", "-O1", *words, "-c", source, "-o", folder / "kernel.o"], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-T", script, "-o", kernel, folder / "kernel.o"], check=True)
    return kernel


def run(options, folder, kernel, *words):
    return subprocess.run([options.reprise, "run", "--kernel", kernel, "--memory", "16M", "--debug-exit", "0xf4", "--serial", "null",
                           "--engine", options.engine, "--coverage", folder / "coverage.info", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)


def test(options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        kernel = build(folder, "-g")
        done = run(options, folder, kernel, "--symbols", kernel)
        runner.expect(done.returncode in (0, 1), f"exit code {done.returncode}: {done.stderr}")
        text = (folder / "coverage.info").read_text()
        lines = {int(number): int(count) for number, count in re.findall(r"^DA:(\d+),(\d+)$", text, re.MULTILINE)}
        functions = {name: int(count) for count, name in re.findall(r"^FNDA:(\d+),(\w+)$", text, re.MULTILINE)}
        runner.expect(functions == {"run": 1, "twice": 1, "never": 0, "end": 1}, f"functions {functions}: {text}")
        wanted = {"return x * 2;": 1, "return x / 2;": 0, "if (value == 4)": 1, "value = never(value);": 0, "value = twice(value);": 1}
        found = {what: lines.get(line_of(what)) for what in wanted}
        runner.expect(found == wanted, f"lines {found}: {text}")
        runner.expect(re.search(r"^SF:.*kernel\.c$", text, re.MULTILINE) and f"LH:{sum(lines.values())}" in text, text)

        damaged = bytearray(kernel.read_bytes())
        for at in range(64, len(damaged), 7):
            damaged[at] ^= 0x5a
        (folder / "damaged.elf").write_bytes(damaged)
        for symbols, said in ((None, "--symbols vmlinux"), (build(folder), "does not say which source"), (folder / "damaged.elf", "damaged.elf"),
                              (folder / "absent", "No such file")):
            refused = run(options, folder, kernel, *(() if symbols is None else ("--symbols", symbols)))
            runner.expect(refused.returncode == 2 and said in refused.stderr, f"{symbols}: {refused.returncode}, {refused.stderr}")
        runner.expect((folder / "coverage.info").read_text() == text, "a run that was refused wrote its coverage")


if __name__ == "__main__":
    runner.main(test, __doc__)
