#!/usr/bin/env python3
"""Draws docs/session.svg, the picture in README.md, from a real session of `./dev boot` on a pseudo-terminal.

usage: session_picture.py [FILE]

Types what STEPS says and draws what came back, without blank lines; `...` stands for lines that were left out.
"""

import html
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = 118
# What to wait for, what to type then, what the picture says was typed (None: the same), how many lines of the answer
# it shows. An empty key is a return by which the guest shows its prompt again.
STEPS = [
    (b"guest:", b"uname -rm\r", None, 2),
    (b"guest:", b"uml uname -rs 2>/dev/null | tail -n 2\r", None, 4),
    (b"guest:", b"\x01c", "Ctrl-A c", 2),
    (b"(reprise) ", b"status\r", None, 3),
    (b"(reprise) ", b"info pagewalk rip\r", None, 11),
    (b"(reprise) ", b"\x01c", "Ctrl-A c", 0),
    (None, b"\r", "", 0),
    (b"guest:", b"exit\r", None, 3),
]
NOISE = re.compile(r"^(\[\d+/\d+\]|ninja: )")
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")


class Terminal:
    def __init__(self, words):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, COLUMNS))
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self.master, 65536)
        except OSError:  # the other side is gone
            return False
        self.seen += part
        return bool(part)

    def until(self, text, seconds=600):
        """What came up to `text`, that included; with None up to the end."""
        end = time.monotonic() + seconds
        while text is None or text not in self.seen:
            if not self.read(1) and self.process.poll() is not None and (text is None or text not in self.seen):
                break
            if time.monotonic() > end:
                sys.exit(f"session_picture: {text!r} did not come; the terminal ends: {self.seen[-300:]!r}")
        at = len(self.seen) if text is None else self.seen.index(text) + len(text)
        part, self.seen = self.seen[:at], self.seen[at:]
        return part

    def rest_of_line(self):
        while self.read(1):
            pass
        part, self.seen = self.seen, b""
        return part


def lines_of(data):
    """The bytes as a person sees them: the prompt redraws its line, so what a carriage return overwrote goes."""
    text = ESCAPES.sub("", data.decode(errors="replace"))
    return [line.rstrip("\r").split("\r")[-1].rstrip() for line in text.split("\n")]


def capture():
    terminal = Terminal(["./dev", "boot"])
    shown = ["$ ./dev boot"]
    limit = 14
    prompt = ""
    for wait, keys, label, lines in STEPS:
        data = terminal.until(wait) if wait else b""
        data += terminal.rest_of_line()
        answer = [line for line in lines_of(data) if line and not NOISE.match(line)]
        prompt = answer.pop() if answer and wait else ""
        shown += answer[:limit] + (["..."] if len(answer) > limit > 0 else [])
        if label != "":
            shown.append(f"{prompt} {label or keys.decode().strip()}")
        os.write(terminal.master, keys)
        if label is None:
            terminal.until(b"\n", 60)  # the echo of what was typed
        limit = lines
    shown += [line for line in lines_of(terminal.until(None)) if line][-limit:]
    return shown, terminal.process.wait()


def svg(lines):
    width, height = COLUMNS * 7 + 24, len(lines) * 16 + 24
    rows = []
    for number, line in enumerate(lines):
        typed = re.match(r"^(\$|guest:\S*[$#]|\(reprise\)|uml:\S*[$#]) ?(.*)$", line)
        text = html.escape(line[:COLUMNS])
        if typed:
            text = f'<tspan fill="#7fb3ff">{html.escape(typed[1])}</tspan> <tspan fill="#fff">{html.escape(typed[2])}</tspan>'
        rows.append(f'<text x="12" y="{24 + number * 16}" xml:space="preserve">{text}</text>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" rx="6" fill="#14181d"/>',
        '<g font-family="monospace" font-size="11.5" fill="#c8d0d8">', *rows, "</g>", "</svg>", ""])


def main():
    if len(sys.argv) > 2 or any(word.startswith("-") for word in sys.argv[1:]):
        sys.exit(__doc__)
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "session.svg"
    lines, status = capture()
    print("\n".join(lines))
    if status != 0:
        sys.exit(f"session_picture: the session ended with {status}")
    target.write_text(svg(lines))


if __name__ == "__main__":
    main()
