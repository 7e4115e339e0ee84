#!/usr/bin/env python3
"""`cmake --install` puts everything in its place, and what it puts there works.

usage: check_install.py BUILD_FOLDER
"""

import pathlib
import subprocess
import sys
import tempfile

# Below the prefix, as GNUInstallDirs has it.
FILES = ["bin/reprise", "share/man/man1/reprise.1", "share/bash-completion/completions/reprise", "share/doc/reprise/LICENSE",
         "share/doc/reprise/LICENSES-OF-LIBRARIES", "share/doc/reprise/command.md", "share/doc/reprise/monitor.md",
         "share/reprise/reprise-gdb.py"]


def main():
    with tempfile.TemporaryDirectory() as prefix:
        subprocess.run(["cmake", "--install", sys.argv[1], "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        there = sorted(str(path.relative_to(prefix)) for path in pathlib.Path(prefix).rglob("*") if path.is_file())
        if there != sorted(FILES):
            sys.exit(f"installed: {there}\nexpected:  {sorted(FILES)}")
        for form, name in [("man", FILES[1]), ("bash", FILES[2])]:
            made = subprocess.run([pathlib.Path(prefix, "bin/reprise"), "manual", form], check=True, stdout=subprocess.PIPE,
                                  cwd=prefix).stdout
            if made != pathlib.Path(prefix, name).read_bytes():
                sys.exit(f"{name} is not what the installed program says")
    print("everything is installed")


if __name__ == "__main__":
    main()
