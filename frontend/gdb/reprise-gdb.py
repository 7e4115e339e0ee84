"""For gdb, connected to a run with --symbols: (gdb) source reprise-gdb.py

    reprise-symbols [FILE]   reads the kernel's symbols (by default from the file of --symbols) at where KASLR has put it

From then on the kernel's own scripts (vmlinux-gdb.py) find it there as well: their lx-symbols reads the file again, and knows of no KASLR.
"""

import re

import gdb

execute = gdb.execute
behind = ""  # the file's name, where the kernel is


def execute_with_slide(command, *rest, **named):
    """gdb.execute, for scripts that read a file of symbols."""
    found = re.match(r"symbol-file +([^- ].*)", command)
    if found and behind:
        command = f"add-symbol-file {found[1]} {behind}"
    return execute(command, *rest, **named)


class ReadSymbols(gdb.Command):
    """Read the kernel's symbols at where KASLR has put it: reprise-symbols [FILE]."""

    def __init__(self):
        super().__init__("reprise-symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        global behind
        said = execute("monitor kaslr", to_string=True)
        slide = re.search(r"^slide (0x[0-9a-f]+)", said, re.MULTILINE)
        if not slide:
            raise gdb.GdbError(said.strip())
        named = re.search(r"^for gdb: add-symbol-file (.*) (-o 0x[0-9a-f]+.*)$", said, re.MULTILINE)
        if not argument and not named:
            raise gdb.GdbError("The run's --symbols is a list: say reprise-symbols VMLINUX.")
        behind = named[2] if named else f"-o {slide[1]}"
        execute("symbol-file")
        execute(f"add-symbol-file {argument or named[1]} {behind}", to_string=True)
        gdb.execute = execute_with_slide


ReadSymbols()
