#!/usr/bin/env python3
"""Checks that every file and folder of this tree that documents and comments name is there.

usage: check_paths.py [ROOT]

Looked at are Markdown files and the comments of sources and scripts. A name is a path from the root of the tree,
with or without the endings .h and .cpp ("mmu/tlb"), or a file name alone ("tlb.h"), which must exist somewhere.
Prints one line for each that is missing, `file:line: name`, and exits 1 if there is any.
"""

import fnmatch
import itertools
import pathlib
import re
import subprocess
import sys

TOP = ("common", "mmu", "cpu", "jit", "devices", "machine", "verdict", "frontend", "tests", "docs", "cmake", ".ci")
ENDINGS = ("", ".h", ".cpp", ".inc", ".py", ".asm", ".c")
# Names that belong to others: QEMU, Xen, Linux, SeaBIOS, libraries.
FOREIGN = {
    "docs/specs/fw_cfg", "docs/specs/pvpanic", "docs/specs/acpi_pci_hotplug", "docs/specs/acpi_hw_reduced_hotplug",
    "docs/system/i386/microvm.rst", "docs/misc/pvh.pandoc", "docs/interop", "docs/interop/qcow2.txt",
    "8250_port.c", "boot.c", "file-posix.c", "rtc.h", "start_info.h", "zydis-config.cmake",
    "libnbd.h", "libslirp.h", "vmlinux-gdb.py", "xxhash.h",
}
PATH = re.compile(r"(?<![\w/.$}-])(?:%s)/[\w./{},*+-]*" % "|".join(re.escape(top) for top in TOP))
FILE = re.compile(r"(?<![\w/.*{},<>+-])[a-z0-9][\w-]*\.(?:h|cpp|inc|py|md|asm|c|cmake)(?![\w/-]|\.\w)")
COMMENT = {".h": "//", ".cpp": "//", ".c": "//", ".inc": "//", ".asm": ";", ".py": "#", ".cmake": "#", ".sh": "#"}


def expanded(name):
    """The names that a name with braces stands for: "a.{h,cpp}" is "a.h" and "a.cpp"."""
    parts = re.split(r"\{([^{}]*)\}", name)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


class Tree:
    def __init__(self, files):
        self.files = set(files)
        self.folders = {parent.as_posix() for file in files for parent in pathlib.PurePosixPath(file).parents}
        self.names = {pathlib.PurePosixPath(file).name for file in files}

    def has(self, name):
        if name.rstrip("/") in FOREIGN:
            return True
        if "/" not in name:
            return name in self.names
        name = name.rstrip("/")
        if "*" in name:
            return bool(fnmatch.filter(self.files, name) or fnmatch.filter(self.folders, name))
        return name in self.folders or any(name + ending in self.files for ending in ENDINGS)

    def missing_in(self, text):
        """Names in `text` that are not there."""
        for pattern in (PATH, FILE):
            for match in pattern.finditer(text):
                following = text[match.end():match.end() + 1]
                if following == "<" or "NAME" in match.group():
                    continue  # a place holder
                name = match.group().rstrip(".,-+")
                for each in expanded(name) if name.count("{") == name.count("}") else [name.split("{")[0]]:
                    if not self.has(each):
                        yield each


def prose_of(name, text):
    """Yields (line number, text) of what people read in the file `name`."""
    suffix = pathlib.PurePosixPath(name).suffix
    for number, line in enumerate(text.splitlines(), start=1):
        if suffix == ".md":
            yield number, line
        elif suffix in COMMENT and COMMENT[suffix] in line:
            yield number, line[line.index(COMMENT[suffix]):]


def check_tree(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0:
        files = [file for file in listed.stdout.split("\0") if file and (root / file).exists()]
    else:  # not a clone: everything but what was built
        files = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        files = [file for file in files if not file.startswith(("build/", ".git/"))]
    tree, found = Tree(files), []
    for name in sorted(files):
        if pathlib.PurePosixPath(name).suffix in {".md", *COMMENT}:
            for number, text in prose_of(name, (root / name).read_text()):
                found += [f"{name}:{number}: {missing} is not there" for missing in tree.missing_in(text)]
    return found


# What the checker must accept and refuse, so that it cannot quietly stop checking.
SELF_TEST = [
    ("see mmu/tlb.h.", 0), ("(mmu/tlb)", 0), ("`mmu/tlb.{h,cpp}`", 1), ("tests/unit/mmu_*", 0), ("mmu/", 0),
    ("cpu/tlb.h", 1), ("tlb.h, tbl.h", 1), ("devices/<group>/<name>.h", 0), ("build/mmu/none.h", 0),
    ("QEMU docs/specs/fw_cfg", 0), ("../docs/none.md", 0), ("unit/mmu_test.cpp and none_test.cpp", 1),
]


def main():
    tree = Tree(["mmu/tlb.h", "tests/unit/mmu_test.cpp"])
    for text, expected in SELF_TEST:
        if len(list(tree.missing_in(text))) != expected:
            sys.exit(f"check_paths: self-test: wrong answer for {text!r}")
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = check_tree(root)
    print("\n".join(found) if found else "every file that is named is there")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
