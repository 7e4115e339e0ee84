#!/usr/bin/env python3
"""Runs programs that nobody here wrote in the guest and natively, and compares what they print.

    guest_programs.py --reprise build/release/reprise --guests build/guests --programs build/programs [--part NAME,...]

`--programs` is the output folder of tests/guests/build_programs.py, which this calls for what is missing. Each part is a script (tests/guests/programs) whose
lines "result NAME VALUE" must be the same in the guest as natively; the native ones are kept in PART.native.
tests/guests/programs.md says what the parts do and lists results that may differ, with the reason.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guests"))
import build_programs  # noqa: E402

# Parts for guests with several processors.
PROCESSORS = {"stress_processors": 4}
LIST = HERE.parent / "guests/programs.md"


def results_in(text):
    return dict(re.findall(r"^result (\S+) (.*?)\s*$", text, re.MULTILINE))


def expected_differences(part):
    """Rows "| part | name | in the guest | why |": names as regular expressions."""
    rows = re.findall(r"^\| (\w+) \| `(.*?)` \| (.*?) \|", LIST.read_text(), re.MULTILINE)
    return [(re.compile(name), value) for row_part, name, value in rows if row_part == part]


def run_native(options, part):
    kept = options.programs / f"{part}{'-short' if options.short else ''}.native"
    if kept.exists() and not options.again:
        return kept.read_text(errors="replace")
    short = "1" if options.short else ""
    command = ["/bin/env", f"SHORT={short}", f"/programs/{part}"]
    done = subprocess.run(build_programs.chroot_command(options.programs / part, *command), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    kept.write_bytes(done.stdout)
    return done.stdout.decode(errors="replace")


def run_guest(options, part):
    with tempfile.NamedTemporaryFile(suffix=".img") as initrd:
        for image in (options.guests / "initramfs.img", options.programs / f"{part}.img"):
            initrd.write(image.read_bytes())
        initrd.flush()
        # The kernel gives words that it does not know to init as environment.
        append = f"console=ttyS0 quiet reprise.exec=/programs/{part}{' SHORT=1' if options.short else ''}"
        command = [options.reprise, "run", "--kernel", options.guests / "vmlinuz", "--initrd", initrd.name, "--memory", "2G",
                   "--cpus", str(PROCESSORS.get(part, 1)),
                   "--engine", options.engine, "--append", append,
                   "--wall-timeout", str(options.wall_timeout), *options.extra.split()]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    text = done.stdout.decode(errors="replace").replace("\r", "")
    (options.programs / f"{part}.guest").write_text(text)
    return done.returncode, text


def compare(part, native, guest):
    listed = expected_differences(part)
    problems = []
    for name, value in native.items():
        want = next((want for pattern, want in listed if pattern.fullmatch(name)), value)
        found = guest.get(name)
        if found is None:
            problems.append(f"{name}: no result, natively {value}")
        elif found != want and want != "any":
            problems.append(f"{name}: {found}, natively {value}")
    problems += [f"{name}: only in the guest" for name in guest if name not in native]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reprise", required=True)
    parser.add_argument("--guests", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--part", default=",".join(build_programs.PARTS))
    parser.add_argument("--engine", default="jit")
    parser.add_argument("--extra", default="", help="more options of the emulator")
    parser.add_argument("--short", action="store_true", help="the short form, of parts that have one (openssl)")
    parser.add_argument("--again", action="store_true", help="run natively even if there are results")
    parser.add_argument("--wall-timeout", type=int, default=3600)
    options = parser.parse_args()
    options.programs = options.programs.resolve()
    build_programs.build(options.part.split(","), options.programs)

    failed = False
    for part in options.part.split(","):
        begin = time.monotonic()
        native = results_in(run_native(options, part))
        native_seconds = time.monotonic() - begin
        begin = time.monotonic()
        code, text = run_guest(options, part)
        guest = results_in(text)
        problems = compare(part, native, guest)
        if code != 0:
            problems.append(f"the run ended with exit code {code}")
        if not native:
            problems.append("no results natively")
        failed |= bool(problems)
        print(f"{part}: {len(guest)} results, {len(problems)} problems (native {native_seconds:.0f} s, "
              f"guest {time.monotonic() - begin:.0f} s)", flush=True)
        for problem in problems:
            print(f"  {problem}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
