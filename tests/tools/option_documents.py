#!/usr/bin/env python3
"""What the program says of its options in other forms: docs/command.md, the man page, the completion for bash.

usage: option_documents.py --reprise PROGRAM [--write]

Fails when the options in docs/command.md are not those of the program; --write puts them there.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/command.md"
BEGIN = "<!-- Made by tests/tools/option_documents.py --write from the rows in frontend/options/. -->\n"
END = "<!-- End of what is made. -->\n"


def manual(options, form):
    return subprocess.run([options.reprise, "manual", form], check=True, stdout=subprocess.PIPE, text=True).stdout


def split_document():
    """The text before the options, the options, the text behind them."""
    text = DOCUMENT.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{DOCUMENT}: the lines around the options are missing")
    before, rest = text.split(BEGIN)
    made, after = rest.split(END)
    return before, made, after


def check_document(options):
    before, made, after = split_document()
    wanted = manual(options, "options")
    if options.write:
        DOCUMENT.write_text(before + BEGIN + wanted + END + after)
    elif made != wanted:
        return [f"{DOCUMENT.name} has other options than the program: run {sys.argv[0]} --reprise {options.reprise} --write"]
    return []


def option_names(options):
    text = subprocess.run([options.reprise, "run", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(set(re.findall(r"--[a-z][a-z-]*", text)))


def check_man_page(options):
    page = manual(options, "man")
    problems = [f"the man page has no {name}" for name in option_names(options)
                if "\\fB" + name.replace("-", "\\-") + "\\fR" not in page]
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=page, stderr=subprocess.PIPE, text=True)
        problems += [f"groff: {line}" for line in done.stderr.splitlines()]
    return problems


def complete(script, *words):
    """What bash offers for the last of `words`."""
    listed = " ".join(f"'{word}'" for word in words)
    program = f'{script}\nCOMP_WORDS=({listed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _reprise; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=DOCUMENT.parent)
    if done.returncode or done.stderr:
        return [f"bash: {done.stderr}"]
    return done.stdout.split()


def check_completion(options):
    script = manual(options, "bash")
    cases = [
        (["reprise", ""], ["run", "replay", "ask", "pack", "test", "merge", "image", "manual", "--help", "--version"]),
        (["reprise", "run", "--debug-"], ["--debug-exit", "--debug-testdev"]),
        (["reprise", "run", "--engine", "l"], ["lockstep"]),
        (["reprise", "run", "--engine", "=", "in"], ["interp"]),
        (["reprise", "run", "--no-pass", "links,v"], ["links,vectors"]),
        (["reprise", "run", "--kernel", "command."], ["command.md"]),
        (["reprise", "run", "comm"], ["command.md"]),
        (["reprise", "run", "--serial", "file", ":", "comm"], ["command.md"]),
        (["reprise", "run", "--memory", ""], []),
        (["reprise", "run", "--trace", "pio,p"], ["pio,page-fault", "pio,pio"]),
        (["reprise", "run", "--log", "disk,ms"], ["disk,msr"]),
        (["reprise", "run", "--device", "virtio-r"], ["virtio-rng"]),
        (["reprise", "run", "--device", "virtio-rng,"], ["virtio-rng,addr=", "virtio-rng,bus=", "virtio-rng,id=", "virtio-rng,help"]),
        (["reprise", "run", "--device", "i6300esb,action", "=", "inj"], ["inject-nmi"]),
        (["reprise", "run", "--device", "ide-hd,file", "=", "a.img,bu"], ["a.img,bus="]),
        (["reprise", "run", "--device", "ide-hd,file", "=", "a.img,bus", "=", ""], ["ide", "ahci", "virtio"]),
        (["reprise", "run", "--device", "ide-hd,file", "=", "comm"], ["command.md"]),
        (["reprise", "run", "--device", "=", "virtio-console,target", "=", "file", ":", "comm"], ["command.md"]),
        (["reprise", "run", "--disk", "a.img,wr"], ["a.img,write="]),
        (["reprise", "run", "--disk", "a.img,write", "=", "y"], ["yes"]),
        (["reprise", "run", "--disk", "comm"], ["command.md"]),
        (["reprise", "run", "--disk", "a.img,overlay", "="], sorted(path.name for path in DOCUMENT.parent.iterdir())),
        (["reprise", "run", "--cpu", "max,-la"], ["max,-la57", "max,-lahf-lm"]),
        (["reprise", "run", "--cpu", "max,vendor", "=", "a"], ["amd"]),
        (["reprise", "run", "--cpu", "ma"], ["max"]),
        (["reprise", "image", "c"], ["create", "commit"]),
        (["reprise", "image", "create", "--f"], ["--format"]),
        (["reprise", "image", "create", "--format", "q"], ["qcow2"]),
        (["reprise", "manual", "b"], ["bash"]),
    ]
    problems = []
    for words, wanted in cases:
        offered = complete(script, *words)
        if sorted(offered) != sorted(wanted):
            problems.append(f"completion of {words} offers {offered}, not {wanted}")
    offered = complete(script, "reprise", "run", "-")
    problems += [f"completion lacks {name}" for name in option_names(options) if name not in offered]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reprise", required=True, help="the program")
    parser.add_argument("--write", action="store_true", help="put the options into docs/command.md")
    options = parser.parse_args()
    options.reprise = str(pathlib.Path(options.reprise).resolve())
    problems = check_document(options) + check_man_page(options) + check_completion(options)
    print("\n".join(problems) if problems else "the documents are those of the program")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
