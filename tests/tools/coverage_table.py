#!/usr/bin/env python3
"""Prints how much of each folder a run of the tests has reached, and the files that it reached least.

usage: coverage_table.py SUMMARY [--files N]

SUMMARY is what `gcovr --json-summary` wrote.
"""

import argparse
import collections
import json
import pathlib


def folder_of(name):
    """The first two folders of a path: "cpu/sem" of "cpu/sem/alu.cpp", "mmu" of "mmu/tlb.h"."""
    return "/".join(pathlib.PurePosixPath(name).parts[:-1][:2])


def share(covered, total):
    return f"{100 * covered / total:6.1f} %" if total else "       -"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summary", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=15, help="how many of the least reached files are listed")
    options = parser.parse_args()

    files = [file for file in json.loads(options.summary.read_text())["files"] if file["line_total"]]
    folders = collections.defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        for key in (folder_of(file["filename"]), "all"):
            for column, count in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
                folders[key][column] += file[count]

    print(f"{'folder':24}{'lines':>8}{'reached':>10}{'branches':>10}{'reached':>10}")
    for folder in sorted(folders, key=lambda name: (name == "all", name)):
        lines, line_total, branches, branch_total = folders[folder]
        print(f"{folder:24}{line_total:8}{share(lines, line_total):>10}{branch_total:10}{share(branches, branch_total):>10}")

    print(f"\nleast reached, files of 20 lines and more")
    large = [file for file in files if file["line_total"] >= 20]
    for file in sorted(large, key=lambda file: file["line_covered"] / file["line_total"])[:options.files]:
        print(f"{share(file['line_covered'], file['line_total'])}  {file['filename']}")


if __name__ == "__main__":
    main()
