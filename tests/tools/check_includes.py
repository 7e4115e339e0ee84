#!/usr/bin/env python3
"""Checks the layers of the source tree: which folder may include which, and who may include which library.

usage: check_includes.py [ROOT]

Prints one line per violation, `file:line: reason`, and exits 1 if there is any.
"""

import pathlib
import re
import sys

# folder -> folders it may include, itself always allowed.
LAYERS = {
    "common": set(),
    "mmu": {"common"},
    "cpu": {"common", "mmu"},
    "jit": {"common", "mmu", "cpu"},
    "devices": {"common"},
    "roms": set(),
    "machine": {"common", "mmu", "cpu", "jit", "devices", "roms"},
    "verdict": {"common"},
    "frontend": {"common", "machine", "verdict"},
}
# Folders inside a layer, lowest first: each may include itself and those before it. "" is the layer's own files.
ORDER = {
    "cpu": ["softfloat", "state", "profile", "debug", "core", "insn", "decode", "blocks", "system", "sem", "engine"],
    "jit": ["", "plan", "passes", "host", "x64", "engine"],
    "machine": ["layout", "clock", "tables", "storage", "share", "sound", "plug", "snapshot", "boot", "firmware", "outside", "record", "net", "lockstep", "board", "screen", "debug", "symbols", "history", "",
                "past", "observe", "narrow", "memory_report", "monitor", "gdb"],
}
# Single headers that a folder may include beyond its layers.
EXTRA_HEADERS = {("frontend", "devices/backend.h"), ("frontend", "cpu/profile/cpu_model.h"),
                 ("frontend", "cpu/profile/cpu_names.h"), ("frontend", "devices/sound/audio_sink.h")}
# header prefix -> the only files, outside tests, that may include it: libraries, and a back end behind its interface.
ONE_INCLUDER = {
    "Zydis/": ("cpu/decode/decode.cpp", "cpu/decode/disassemble.cpp"),
    "asmjit/": ("jit/x64/emitter.h", "jit/x64/emitter.cpp"),
    "xxhash.h": ("common/hash.cpp",),
    "libnbd.h": ("machine/storage/nbd_image.cpp",),
    "png.h": ("machine/screen/png.cpp",),
    "slirp/": ("machine/net/slirp_link.cpp",),
    "gelf.h": ("machine/symbols/elf_symbols.cpp",),
    "zstd.h": ("machine/snapshot/zstd_stream.cpp",),
    "toml++/": ("frontend/test/suite.cpp",),
    "rfb/": ("frontend/display/vnc_display.cpp",),
    "SDL2/": ("frontend/display/sdl_display.cpp", "frontend/display/x11_errors.cpp", "frontend/output/sdl_sound.cpp"),
    "jit/x64/": ("jit/x64/",),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".h", ".cpp", ".inc"}


def subfolder(name):
    """The folder inside the layer that holds `name`, a path from the root; "" for the layer's own files."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def points_upward(name, header):
    """Whether `name` and `header`, both of one layer, are in the wrong order, or in a folder without a place in it."""
    order = ORDER.get(name.split("/")[0])
    if order is None:
        return False
    here, there = subfolder(name), subfolder(header)
    return here not in order or there not in order or order.index(there) > order.index(here)


def violations_in(name, text):
    """Yields (line number, reason) for the file `name`, a posix path relative to the root."""
    folder = name.split("/")[0]
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        for prefix, owners in ONE_INCLUDER.items():
            if header.startswith(prefix) and not name.startswith(owners):
                yield number, f"{header} may only be included by {', '.join(owners)}"
        if quote == "<":
            continue
        if header.startswith(".") or "/" not in header:
            yield number, f'"{header}" is not a path from the root of the tree'
            continue
        target = header.split("/")[0]
        if target not in LAYERS:
            yield number, f'"{header}" is in no known folder'
        elif target != folder and target not in LAYERS[folder] and (folder, header) not in EXTRA_HEADERS:
            yield number, f"{folder} may not include {target}"
        elif target == folder and points_upward(name, header):
            yield number, f'"{header}" points upward inside {folder}'


def check_tree(root):
    found = []
    for folder in LAYERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES:
                name = path.relative_to(root).as_posix()
                found += [f"{name}:{number}: {reason}" for number, reason in violations_in(name, path.read_text())]
    return found


# What the checker must accept and refuse, so that it cannot quietly stop checking.
SELF_TEST = [
    ("mmu/tlb.h", '#include "common/types.h"', 0),
    ("mmu/tlb.h", '#include "cpu/state/state.h"', 1),
    ("devices/bus.h", '#include "mmu/tlb.h"', 1),
    ("frontend/main.cpp", '#include "devices/backend.h"', 0),
    ("frontend/main.cpp", '#include "devices/bus.h"', 1),
    ("machine/board/pc.cpp", '#include "devices/bus.h"', 0),
    ("cpu/decode/decode.cpp", "#include <Zydis/Zydis.h>", 0),
    ("cpu/state/state.h", "#include <Zydis/Zydis.h>", 1),
    ("common/bits.h", "#include <xxhash.h>", 1),
    ("jit/engine/jit_engine.cpp", '#include "jit/x64/stubs.h"', 1),
    ("jit/passes/dead_flags.cpp", '#include "jit/plan/plan.h"', 0),
    ("jit/passes/dead_flags.cpp", '#include "jit/host/translation_unit.h"', 1),
    ("jit/x64/backend.cpp", '#include "jit/x64/stubs.h"', 0),
    ("cpu/state/state.h", '#include "state.h"', 1),
    ("cpu/state/state.h", '#include "../mmu/tlb.h"', 1),
]


def main():
    for name, line, expected in SELF_TEST:
        if len(list(violations_in(name, line))) != expected:
            sys.exit(f"check_includes: self-test: wrong answer for {name}: {line}")
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = check_tree(root)
    print("\n".join(found) if found else "includes are in order")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
