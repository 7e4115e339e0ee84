#!/usr/bin/env python3
"""Stock Linux with shared folders: a tree is read, files are made, renamed, removed while open, given away; links and races
lead nowhere else; the root file system is one. Two runs, on copies of the folders and by different users of the host, are
the same to the guest.

Needs --guests to name what tests/guests/build_storage_guest.py makes.
"""

import hashlib
import os
import pathlib
import random
import re
import shutil
import stat
import subprocess
import tempfile

import runner

OTHER_USER = 65534


def digest(lines):
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def make_tree(root):
    """Files of all sizes, deep folders, links, odd names."""
    draw = random.Random(9)
    for number in range(120):
        folder = root.joinpath(*[f"d{draw.randrange(6)}" for _ in range(draw.randrange(6))])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}").write_bytes(draw.randbytes(draw.choice([0, 1, 100, 4096, 5000, 70000])))
    (root / "big").write_bytes(draw.randbytes(3_000_000))
    (root / "many").mkdir()
    for number in range(700):
        (root / "many" / f"entry number {number}").touch()
    (root / "a name with  spaces, 'quotes' and \u00fc").write_text("odd")
    (root / "to nowhere").symlink_to("/nowhere/at/all")
    (root / "to passwd").symlink_to("/etc/passwd")
    os.link(root / "big", root / "big again")
    deep = root.joinpath(*["deeper"] * 40)
    deep.mkdir(parents=True)
    (deep / "end").write_text("the end\n")


def names_below(root):
    """As find writes them, sorted by bytes."""
    found = ["."]
    for folder, folders, files in os.walk(root):
        at = os.path.relpath(folder, root)
        found += [f"./{name}" if at == "." else f"./{at}/{name}" for name in folders + files]
    return sorted(found, key=os.fsencode)


def expected_of(root):
    names = names_below(root)
    files = [name for name in names if not (root / name).is_symlink() and (root / name).is_file()]
    links = [name for name in names if (root / name).is_symlink()]
    return {"names": digest(f"{name}\n" for name in names),
            "content": digest(f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in files),
            "links": digest(f"{os.readlink(root / name)}\n" for name in links)}


def run(options, folder, name, words, append, user=None):
    """The console, and the chain of hashes."""
    return carry_out(name, [options.reprise, "run", "--kernel", options.kernel, "--initrd", options.initrd, "--append",
                            f"console=ttyS0 {append}", "--memory", "512M", "--engine", options.engine, "--serial", "stdio",
                            "--clock", "free", "--hash-every", "200000000", "--timeout", "600", "--wall-timeout", "900",
                            *words], user)


def carry_out(name, command, user=None):
    as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=960, **as_user)
    console = done.stdout.decode(errors="replace").replace("\r", "")
    messages = done.stderr.decode(errors="replace")
    tail = "\n".join(console.splitlines()[-30:])
    runner.expect(done.returncode == 0, f"{name}: exit code {done.returncode}: {messages[-2000:]}\n{tail}")
    runner.expect("FAILED" not in console, f"{name}: the guest says\n{tail}")
    runner.expect("share: complete" in console, f"{name}: the guest did not finish:\n{tail}")
    hashes = re.findall(r"^state \d+ [0-9a-f]{16}$", messages, re.MULTILINE)
    return console, hashes


def work(options, folder, cache, user, more=()):
    """One run of all the work on folders of its own."""
    fixed, made = folder / "fixed", folder / "work"
    if user:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, user, user, follow_symlinks=False)
    words = ["--share", f"{made},tag=work,times=fixed", "--share", f"{fixed},tag=fixed,readonly,times=fixed", *more]
    console, hashes = run(options, folder, f"work with cache={cache}", words,
                          f"reprise.exec=/bin/share share.options=cache={cache}", user)
    for what, wanted in expected_of(fixed / "tree").items():
        runner.expect(f"share: {what} {wanted}\n" in console, f"the guest sees other {what}:\n{console[-3000:]}")
    return console, hashes


def check_host(folder):
    """What the guest has left behind."""
    made = folder / "work"
    names = sorted(path.name for path in made.iterdir())
    wanted = sorted(["big", "busybox", "two", "again", "owned", "closed", "fifo", "null", "absolute", "relative", "swap"])
    runner.expect(names == wanted, f"the host sees {names} instead of {wanted}")
    for name in ["owned", "fifo", "null"]:
        status = (made / name).lstat()
        runner.expect(stat.S_ISREG(status.st_mode) and not status.st_mode & 0o7000,
                      f"{name} is {stat.filemode(status.st_mode)} on the host")
    runner.expect(os.getxattr(made / "owned", "user.reprise.attributes") == b"uid=1000 gid=1001 mode=104750 rdev=0",
                  "the owner is kept otherwise")
    runner.expect(os.readlink(made / "absolute") == "/etc/passwd", "the link leads elsewhere")
    runner.expect((made / "again").stat().st_size == 5000, "the host sees another size")


def make_root(root, busybox):
    (root / "bin").mkdir(parents=True)
    for name in ["dev", "proc", "sbin", "tmp"]:
        (root / name).mkdir()
    shutil.copy(busybox, root / "bin/busybox")
    (root / "bin/busybox").chmod(0o755)
    for name in ["sh", "mount", "grep", "echo", "poweroff", "cat", "ls", "sync", "usleep", "df"]:
        (root / "bin" / name).symlink_to("busybox")
    init = root / "sbin/init"
    init.write_text("#!/bin/sh\nmount -t proc proc /proc\nmount -t devtmpfs dev /dev\nexec >/dev/console\n"
                    "grep ' / 9p ' /proc/mounts && echo it works >/tmp/proof && cat /tmp/proof\n"
                    # The free space is the host's, so no run of the other kind asks for it.
                    "df / >/dev/null || echo 'share: FAILED statfs'\n"
                    "echo 'share: complete'\nsync\nusleep 100000\npoweroff -f\nusleep 9000000\n")
    init.chmod(0o755)


def test(options):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        scratch.chmod(0o755)
        try:
            probe = scratch / "probe"
            probe.touch()
            os.setxattr(probe, "user.reprise", b"1")
        except OSError:
            raise SystemExit(77)  # the file system of temporary files keeps no attributes
        for name in ["a", "b"]:
            (scratch / name / "work").mkdir(parents=True)
        make_tree(scratch / "a/fixed/tree")
        shutil.copytree(scratch / "a/fixed", scratch / "b/fixed", symlinks=True)
        # A copy of a hard link is two files.
        (scratch / "b/fixed/tree/big again").unlink()
        os.link(scratch / "b/fixed/tree/big", scratch / "b/fixed/tree/big again")

        first = work(options, scratch / "a", "none", None, ["--record", scratch / "recording"])
        check_host(scratch / "a")
        # All that it was answered is in the recording.
        shutil.rmtree(scratch / "a")
        again = carry_out("replay", [options.reprise, "replay", scratch / "recording", "--hash-every", "200000000"])
        runner.expect(again == first, f"the replay is another run:\n{again[0][-2000:]}\n{first[1]}\n{again[1]}")
        second = work(options, scratch / "b", "none", OTHER_USER if os.geteuid() == 0 else None)
        check_host(scratch / "b")
        runner.expect(first[1] and second[1], "there are no hashes to compare")
        runner.expect(first[0] == second[0], f"two copies of a folder give other output:\n{first[0][-2000:]}\n{second[0][-2000:]}")
        same = sum(one == other for one, other in zip(*[run[1] for run in (first, second)]))
        runner.expect(first[1] == second[1], f"two copies are not the same to the guest from hash {same} of {len(first[1])} on")

        make_root(scratch / "root", pathlib.Path(options.guests).parent / "guests/busybox")
        console, _ = run(options, scratch, "root", ["--share", f"{scratch / 'root'},tag=root"],
                         "rdinit=/bin/share-root root=root rootfstype=9p rootflags=trans=virtio,version=9p2000.L,cache=mmap")
        runner.expect("it works\n" in console, f"the root file system is another:\n{console[-2000:]}")
        runner.expect((scratch / "root/tmp/proof").read_text() == "it works\n", "the host does not see the proof")


runner.main(test, __doc__, guest_may_be_missing=True)
