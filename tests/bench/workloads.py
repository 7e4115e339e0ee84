"""The benchmark's workloads, and the folder that holds what they need: the same for the guest and for the host.

A workload is a script for busybox's sh, run in that folder. $PWD is the folder, TMP a folder in memory.
"""

import lzma
import pathlib
import re
import shutil
import subprocess

import build_guests

HERE = pathlib.Path(__file__).resolve().parent
# Programs of the distribution, run by the loader and with the libraries in the folder.
LOADER = "./lib/ld-linux-x86-64.so.2 --library-path ./lib"
SCRIPTS = {
    "integer": {
        "sort": "./integer_work sort",
        "hash": "./integer_work hash",
        "tree": "./integer_work tree",
        "format": "./integer_work format",
        "gzip": "./busybox gzip -c text | ./busybox md5sum",
        "unxz": "./busybox unxz -c text.xz | ./busybox md5sum",
        "sha256sum": "./busybox cat text text text text text text text text | ./busybox sha256sum",
        "awk": "./busybox awk '{ n += NF; for (i = 1; i <= NF; i++) c[$i] += i * 0.5 } END { print n, c[\"time\"] }' text",
        "mawk": f"{LOADER} ./bin/mawk '{{ n += NF; for (i = 1; i <= NF; i++) c[$i] += i }} END {{ print n, c[\"time\"] }}' text",
        "python": f"PYTHONHOME=. PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 {LOADER} ./bin/python3 -S -E interpreted.py",
        "cc1": f"{LOADER} ./bin/cc1 -fpreprocessed -quiet -O2 -o $TMP/out.s compiled.i && ./busybox md5sum < $TMP/out.s",
        "sortlines": "./busybox sort text | ./busybox uniq -c | ./busybox sort -rn | ./busybox head -n 20",
    },
    "fp": {name: f"./float_work {name}" for name in
           ["nbody", "mandelbrot", "matrix-sse", "bytes-sse", "matrix-avx2", "x87"]},
    "system": {
        **{name: f"./system_work {name}" for name in ["getppid", "fork", "exec", "pipe", "fault", "switch"]},
        "files": "./system_work files $TMP",
        "copy": "i=0; while [ $i -lt 4 ]; do ./busybox cat bin/* text > $TMP/one; ./busybox cp $TMP/one $TMP/two; i=$((i+1)); done;"
                " ./busybox md5sum < $TMP/two; ./busybox rm $TMP/one $TMP/two",
        "shell": "i=0; while [ $i -lt 12000 ]; do i=$((i+1)); case $i in *7) x=\"${x#??}$i\";; *) x=$x:;; esac;"
                 " done; for j in 1 2 3 4 5 6 7 8 9; do x=$(echo \"$x\" | ./busybox wc -c); done; echo $x $i",
    },
    "uml": {"uml": None},
}
# For guests with several processors: run_processors.py.
PROCESSOR_SCRIPTS = {
    "one-busy": "./integer_work hash",
    "four-busy": "for i in 1 2 3 4; do ./integer_work hash > $TMP/sum$i & done; wait; ./busybox cat $TMP/sum?",
    "pipe-across": "./system_work pipe-across",
    "hackbench": f"{LOADER} ./bin/hackbench -g 4 -l 200 > /dev/null && echo done",
    "hackbench-threads": f"{LOADER} ./bin/hackbench -g 4 -l 200 -T > /dev/null && echo done",
    "make": f"{LOADER} ./bin/make -s -j4 -f tree.mk OUT=$TMP && ./busybox cat $TMP/tree-*.s | ./busybox md5sum",
}
# Eight files are compiled.
TREE = f"""all: $(foreach n,1 2 3 4 5 6 7 8,$(OUT)/tree-$(n).s)
$(OUT)/tree-%.s:
\t{LOADER} ./bin/cc1 -fpreprocessed -quiet -O1 -o $@ compiled.i
"""
PACKAGES = ["libc6", "mawk", "libexpat1", "zlib1g", "rt-tests", "libnuma1", "make"]
LIBRARIES = ["libc.so.6", "libm.so.6", "libexpat.so.1", "libz.so.1", "libnuma.so.1",
             "libpthread.so.0", "libdl.so.2"]


def make_text(words, seed=1):
    """Text with the statistics of nothing in particular, the same every time."""
    vocabulary = "time of the and to a in that it was his for he with as had on at by which be this from but not is".split()
    state, line, lines = seed, [], []
    for _ in range(words):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        line.append(vocabulary[(state >> 33) % len(vocabulary)] if state >> 63 else f"{state >> 40:x}")
        if len(line) == 11:
            lines.append(" ".join(line))
            line = []
    return ("\n".join(lines) + "\n").encode()


def fetch_programs(folder, cache):
    """Debian's mawk and Python with their libraries; the compiler proper of the gcc that is installed."""
    minimal = re.search(r"Depends: (python3\.\d+-minimal)",
                        subprocess.run(["apt-cache", "depends", "python3-minimal"], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout)[1]
    packages = [*PACKAGES, minimal, "lib" + minimal]
    unpacked = {name: build_guests.fetch(name, cache)[0] for name in packages}
    (folder / "bin").mkdir()
    (folder / "lib").mkdir()
    shutil.copy(unpacked["mawk"] / "usr/bin/mawk", folder / "bin/mawk")
    shutil.copy(unpacked["rt-tests"] / "usr/bin/hackbench", folder / "bin/hackbench")
    shutil.copy(unpacked["make"] / "usr/bin/make", folder / "bin/make")
    python = minimal.removesuffix("-minimal")
    shutil.copy(unpacked[minimal] / "usr/bin" / python, folder / "bin/python3")
    shutil.copytree(unpacked["lib" + minimal] / "usr/lib" / python, folder / "lib" / python, symlinks=False,
                    ignore_dangling_symlinks=True)
    for name in LIBRARIES:
        found = [path for package in PACKAGES for path in unpacked[package].rglob(name)]
        shutil.copy(found[0], folder / "lib" / name)
    loader = next(path for path in unpacked["libc6"].rglob("ld-linux-x86-64.so.2") if path.is_file())
    shutil.copy(loader, folder / "lib/ld-linux-x86-64.so.2")
    compiler = subprocess.run(["gcc", "-print-prog-name=cc1"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    shutil.copy(compiler, folder / "bin/cc1")
    needed = subprocess.run(["ldd", compiler], check=True, text=True, stdout=subprocess.PIPE).stdout
    for name, path in re.findall(r"(\S+) => (/\S+)", needed):
        if not (folder / "lib" / name).exists():
            shutil.copy(path, folder / "lib" / name)


def build_folder(folder, guests, cache):
    """Fills `folder`, which must not exist, with everything that the workloads need."""
    folder.mkdir(parents=True)
    text = make_text(400_000)
    (folder / "text").write_bytes(text)
    (folder / "short").write_bytes(text[: len(text) // 4])
    (folder / "text.xz").write_bytes(lzma.compress(text * 2, preset=6, check=lzma.CHECK_CRC32))
    for source in sorted((HERE / "work").glob("*.c")):
        subprocess.run(["gcc", "-O2", "-static", "-o", folder / source.stem, source, "-lm"], check=True)
    preprocessed = subprocess.run(["gcc", "-E", "-P", HERE / "work/float_work.c"], check=True, stdout=subprocess.PIPE)
    (folder / "compiled.i").write_bytes(preprocessed.stdout)
    shutil.copy(HERE / "work/interpreted.py", folder)
    shutil.copy(guests / "busybox", folder / "busybox")
    shutil.copy(HERE / "guest_bench.sh", folder)
    fetch_programs(folder, cache)
    (folder / "tree.mk").write_text(TREE)
    for scripts in [*SCRIPTS.values(), PROCESSOR_SCRIPTS]:
        for name, script in scripts.items():
            if script is not None:
                (folder / f"{name}.sh").write_text(f"export TMP=${{TMP:-/tmp}} PATH=/bin\n{script}\n")


def archive_of(folder):
    """The folder as a cpio archive to follow the guest's initramfs: it appears as /bench."""
    archive = build_guests.Cpio()
    archive.folder("bench")
    archive.tree(folder, "bench")
    return archive.bytes()
