"""A shell on the serial port of the Debian disk that tests/guests/build_disk.py makes."""

import runner

PROMPT = b"root@debian:~# "


class DebianShell:
    """`terminal` is a session.Session."""

    def __init__(self, terminal):
        self.terminal = terminal

    def log_in(self):
        """What came before the login."""
        self.terminal.wait_for(b"debian login: ", 900)
        console = self.terminal.before.decode(errors="replace")
        self.terminal.type(b"root\r")
        self.terminal.wait_for(b"Password: ")
        self.terminal.type(b"reprise\r")
        self.terminal.wait_for(PROMPT)
        self.command("stty -echo; bind 'set enable-bracketed-paste off'; set +m")
        return console

    def command(self, lines, seconds=600):
        """Runs them; what they print."""
        self.terminal.seen = b""
        self.terminal.write(lines.encode().replace(b"\n", b"\r") + b"\r")
        self.terminal.wait_for(PROMPT, seconds)
        return self.terminal.before.decode(errors="replace").replace("\r", "")

    def write_script(self, path, text):
        self.command(f"cat >{path} <<'END'\n{text.rstrip(chr(10))}\nEND")
        self.command(f"chmod +x {path}")

    def expect(self, line, *wanted, seconds=600):
        """What it prints has all of `wanted`."""
        text = self.command(line, seconds)
        for words in wanted:
            runner.expect(words in text, f"'{line}' does not say '{words}': {text!r}")
        return text
