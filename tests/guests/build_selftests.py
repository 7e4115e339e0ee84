#!/usr/bin/env python3
"""Builds the kernel's own self-tests of x86, futexes, membarrier and rseq (tools/testing/selftests) for the guest.

    build_selftests.py --out build/selftests

Sources come from Debian's linux-source package through `apt-get download`, are unpacked under the output folder and
linked statically; the 32-bit ones need gcc-multilib. Nothing third-party is kept in the source tree. Outputs:

    selftests.img   cpio archive with /selftests: give the guest both, cat initramfs.img selftests.img > both.img
    list.txt        the programs, one name in a line
"""

import argparse
import pathlib
import re
import subprocess
import sys

import build_guests

PACKAGE = "linux-source-6.1"
FOLDER = "tools/testing/selftests"
# What the Makefile there gives single programs beyond their source.
EXTRA = {
    "sysret_ss_attrs_64": ["thunks.S"],
    "ptrace_syscall_32": ["raw_syscall_helper_32.S"],
    "test_syscall_vdso_32": ["thunks_32.S"],
    "check_initial_reg_state_32": ["-Wl,-ereal_start"],
    "check_initial_reg_state_64": ["-Wl,-ereal_start"],
    "nx_stack_32": ["-Wl,-z,noexecstack"],
    "nx_stack_64": ["-Wl,-z,noexecstack"],
}
# 64-bit ones beside those of x86: folder, programs (as patterns of sources), and what each is linked with.
OTHERS = [
    ("futex/functional", "futex_*.c", []),
    ("membarrier", "membarrier_*.c", []),
    ("rseq", "basic_*.c", ["rseq.c", "-I../../../include"]),
]
RUN = """#!/bin/sh
# Runs every program and reports one line for each: "selftest NAME STATUS".
cd /selftests
for name in $(cat list.txt); do
  echo "--- $name"
  timeout 60 ./$name </dev/null
  echo "selftest $name $?"
done
"""


def names_in(makefile, variable):
    words = []
    for match in re.finditer(rf"^{variable}\s*[:+]?=\s*(.*?)(?<!\\)$", makefile, re.MULTILINE | re.DOTALL):
        words += match[1].replace("\\\n", " ").split()
    return [word for word in words if not word.startswith("$")]


def unpack(out):
    sources = list(out.glob(f"linux-source-*/{FOLDER}/x86/Makefile"))
    if not sources:
        folder, version = build_guests.fetch(PACKAGE, out)
        archive = next(folder.glob("usr/src/*.tar.xz"))
        top = archive.name.removesuffix(".tar.xz")
        build_guests.say(f"unpacking {PACKAGE} {version}")
        subprocess.run(["tar", "-C", out, "-xJf", archive, f"{top}/{FOLDER}/x86", f"{top}/{FOLDER}/kselftest.h",
                        f"{top}/arch/x86/include/asm/desc_defs.h", f"{top}/tools/include",
                        *(f"{top}/{FOLDER}/{name}" for name in ("futex", "membarrier", "rseq", "kselftest_harness.h"))], check=True)
        sources = list(out.glob(f"linux-source-*/{FOLDER}/x86/Makefile"))
    return sources[0].parent


def compile_one(folder, name, bits, out):
    program = f"{name}_{bits}"
    output = out / "programs" / program
    command = ["gcc", f"-m{bits}", "-o", output, "-static", "-O2", "-std=gnu99", "-pthread", "-w", "-no-pie", "-fno-pie",
               "-DCAN_BUILD_64" if bits == 64 else "-DCAN_BUILD_32", f"{name}.c", *EXTRA.get(program, []), "-lrt", "-ldl", "-lm"]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(f"selftests: {program} does not build: {done.stdout.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return output


def compile_other(source, parts, out):
    output = out / "programs" / source.stem
    command = ["gcc", "-o", output, "-static", "-O2", "-std=gnu99", "-pthread", "-w", "-D_GNU_SOURCE", "-I.", "-I../include",
               "-I../../include", "-I../..", source.name, *parts, "-lrt"]
    done = subprocess.run(command, cwd=source.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(f"selftests: {source.stem} does not build: {done.stdout.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return output


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out.resolve()
    (out / "programs").mkdir(parents=True, exist_ok=True)

    folder = unpack(out)
    makefile = (folder / "Makefile").read_text()
    both = names_in(makefile, "TARGETS_C_BOTHBITS") + names_in(makefile, "TARGETS_C_32BIT_NEEDED")
    wanted = [(name, 64) for name in both + names_in(makefile, "TARGETS_C_64BIT_ONLY")]
    wanted += [(name, 32) for name in both + names_in(makefile, "TARGETS_C_32BIT_ONLY")]
    programs = [path for path in (compile_one(folder, name, bits, out) for name, bits in wanted) if path]

    programs += [path for subfolder, pattern, parts in OTHERS for source in sorted((folder.parent / subfolder).glob(pattern))
                 if (path := compile_other(source, parts, out))]

    archive = build_guests.Cpio()
    archive.folder("selftests")
    for path in programs:
        archive.file(f"selftests/{path.name}", path)
    listing = "".join(f"{path.name}\n" for path in sorted(programs))
    archive.add("selftests/list.txt", 0o100644, listing.encode())
    archive.add("selftests/run", 0o100755, RUN.encode())
    (out / "selftests.img").write_bytes(archive.bytes())
    (out / "list.txt").write_text(listing)
    build_guests.say(f"{len(programs)} self-tests in {out / 'selftests.img'}")


if __name__ == "__main__":
    main()
