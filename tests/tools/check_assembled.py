#!/usr/bin/env python3
"""Checks that the code of roms/*.inc is what nasm makes of the .asm beside it.

usage: check_assembled.py [--write] [ROOT]

--write makes the .inc files anew. Without nasm there is nothing to compare with: exit code 77, which CTest takes for
"skipped".
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

BYTES_IN_A_LINE = 16


def assemble(source):
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / "code"
        subprocess.run(["nasm", "-f", "bin", "-o", binary, source], check=True)
        return binary.read_bytes()


def as_include(source, code):
    lines = [f"// {source.name}, assembled by tests/tools/check_assembled.py --write."]
    for start in range(0, len(code), BYTES_IN_A_LINE):
        lines.append(" ".join(f"0x{byte:02x}," for byte in code[start:start + BYTES_IN_A_LINE]))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the .inc files anew")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parents[2], type=pathlib.Path)
    arguments = parser.parse_args()
    if shutil.which("nasm") is None:
        print("nasm is not there: skipped")
        sys.exit(77)
    sources = sorted((arguments.root / "roms").glob("*.asm"))
    if not sources:
        sys.exit("no sources were found in roms")
    wrong = []
    for source in sources:
        text = as_include(source, assemble(source))
        include = source.with_suffix(".inc")
        if arguments.write:
            include.write_text(text)
        elif not include.exists() or include.read_text() != text:
            wrong.append(f"{include} is not what {source.name} says: run tests/tools/check_assembled.py --write")
    print("\n".join(wrong) if wrong else "assembled code is that of its sources")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
