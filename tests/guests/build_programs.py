#!/usr/bin/env python3
"""Builds trees of programs for tests/boot/guest_programs.py: OpenSSL, Perl, Python, stress-ng and x264, from Debian's packages.

    build_programs.py --out build/programs [--part NAME,...]

Packages come through `apt-get download`, Perl's tests from its source package, and are only unpacked under the output folder.
For each part there is a folder that `chroot` runs natively, and NAME.img, a cpio archive of it for the guest: give it
both, cat initramfs.img NAME.img > both.img. /programs/NAME in them is the script of that name in tests/guests/programs.
Parts that are there already, built from the same scripts, are left alone.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import build_guests

HERE = pathlib.Path(__file__).resolve().parent
LIBRARIES = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/samba"]
# Part: packages, programs, and files and folders as globs beyond the programs' shared libraries.
PARTS = {
    "openssl": (["openssl"], ["usr/bin/openssl"], ["usr/lib/ssl", "etc/ssl", "usr/lib/x86_64-linux-gnu/ossl-modules"]),
    "perl": (["perl", "libperl5.36"], ["usr/bin/perl"],
             ["usr/share/perl", "usr/share/perl/*", "usr/lib/x86_64-linux-gnu/perl*", "usr/lib/x86_64-linux-gnu/perl/*"]),
    "python": (["python3.11", "libpython3.11-testsuite"], ["usr/bin/python3.11"], ["usr/lib/python3.11"]),
    "stress": (["stress-ng"], ["usr/bin/stress-ng"], []),
    "stress_processors": (["stress-ng"], ["usr/bin/stress-ng"], []),
    "x264": (["x264"], ["usr/bin/x264"], []),
}
EMPTY_FOLDERS = ["dev", "proc", "sys", "tmp", "root", "bin", "lib64"]
# Packages of a dependency closure that hold no library that a program here loads.
UNNEEDED = re.compile(r"^(?!lib|zlib|ocl-icd|perl|python3|openssl|stress-ng|x264)|^(libavcodec-extra|libavformat-extra|"
                      r"libdebian-installer|libelogind|libnewt|libtextwrap)")
CLIP = (320, 240, 30)


def say(message):
    build_guests.say(message)



def dependencies(packages):
    text = build_guests.run("apt-cache", "depends", "--recurse", "--important", *packages)
    names = {line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)}
    return sorted(name for name in names if not UNNEEDED.search(name))


def unpack(packages, folder):
    """Fetches packages at once and unpacks them into one tree."""
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    say(f"fetching {len(packages)} packages")
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages], cwd=archives, check=True,
                   stdout=subprocess.DEVNULL)
    tree = folder / "tree"
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
    shutil.rmtree(archives)
    return tree


def fetch_source(package, folder):
    """The upstream archive of a source package, of the newest version that the mirrors still have."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    keyring = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    form = f"deb-src {signed}$(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = build_guests.run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in sorted(set(lines)) if "debian" in line))
    options = ["-q", "-o", f"Dir::Etc::SourceList={folder}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
               "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]
    say(f"fetching the source of {package}")
    subprocess.run(["apt-get", *options, "update"], check=True, stdout=subprocess.DEVNULL)
    versions = re.findall(r"^Version: (.*)", build_guests.run("apt-cache", *options, "showsrc", package), re.MULTILINE)
    for version in versions:
        subprocess.run(["apt-get", *options, "source", "--download-only", f"{package}={version}"], cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = sorted(folder.glob(f"{package}_*.orig.tar.*"))
        if found:
            return found[0]
    return build_guests.fail(f"no version of the source of {package} could be fetched")


def shared_libraries(tree, programs):
    """What the programs load, as paths inside the tree."""
    waiting, found = list(programs), {}
    while waiting:
        text = build_guests.run("readelf", "-d", str(tree / waiting.pop()), stderr=subprocess.DEVNULL)
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text):
            if name in found:
                continue
            path = next((f"{folder}/{name}" for folder in LIBRARIES if (tree / folder / name).exists()), None)
            if path is None:
                build_guests.fail(f"no package has {name}")
            found[name] = path
            waiting.append(path)
    return found


def copy(source, target):
    if target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy(source, target)


def build_tree(part, tree, root):
    _packages, programs, extra = PARTS[part]
    for folder in EMPTY_FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(tree / "bin/busybox", root / "bin/busybox")
    for applet in build_guests.run(str(tree / "bin/busybox"), "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    for pattern in extra:
        for path in sorted(tree.glob(pattern)):
            copy(path, root / path.relative_to(tree))
    loaded = [str(path.relative_to(tree)) for pattern in extra for path in tree.glob(f"{pattern}/**/*.so")]
    for program in programs:
        copy(tree / program, root / program)
    for name, path in shared_libraries(tree, programs + loaded).items():
        if name.startswith("ld-linux"):
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / path, root / path)
    shutil.copy((tree / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2").resolve(), root / "lib64/ld-linux-x86-64.so.2")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "programs").mkdir()
    script = root / "programs" / part
    script.write_text(f"#!/bin/sh\nexport LD_LIBRARY_PATH=/{LIBRARIES[2]}\n" + (HERE / f"programs/{part}.sh").read_text())
    script.chmod(0o755)


def add_perl(root, work):
    """Perl's own tests beside one library folder, as they expect it: t and lib."""
    archive = fetch_source("perl", work / "source")
    source = work / "perl"
    source.mkdir()
    subprocess.run(["tar", "-C", source, "--strip-components=1", "-xf", archive], check=True)
    for folder in ("t", "regen"):
        shutil.copytree(source / folder, root / "perl" / folder, symlinks=True)
    shutil.copy(source / "MANIFEST", root / "perl")
    library = root / "perl/lib"
    for folder in ("usr/share/perl/5.36.0", "usr/share/perl/5.36", "usr/lib/x86_64-linux-gnu/perl/5.36.0", "usr/lib/x86_64-linux-gnu/perl/5.36",
                   "usr/lib/x86_64-linux-gnu/perl-base"):
        if (root / folder).is_dir() and not (root / folder).is_symlink():
            shutil.copytree(root / folder, library, dirs_exist_ok=True)


def add_keys(root, native):
    for name, arguments in {"rsa": "RSA -pkeyopt rsa_keygen_bits:2048", "ec": "EC -pkeyopt ec_paramgen_curve:P-256",
                            "ed25519": "ED25519", "ed448": "ED448"}.items():
        native(root, f"openssl genpkey -quiet -algorithm {arguments} -out /programs/{name}.pem")
        native(root, f"openssl pkey -in /programs/{name}.pem -pubout -out /programs/{name}.pub")
    native(root, "openssl dgst -sha256 -sign /programs/ec.pem -out /programs/ec.sig /programs/openssl")


def add_clip(root):
    """Moving gradients, a bouncing square and noise, in the YUV4MPEG2 format."""
    width, height, frames = CLIP
    state = 12345
    parts = [b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420jpeg\n" % (width, height)]
    for frame in range(frames):
        parts.append(b"FRAME\n")
        square = (frame * 7) % (width - 40), (frame * 5) % (height - 40)
        luma = bytearray()
        for y in range(height):
            for x in range(width):
                state = (state * 1103515245 + 12345) & 0x7fffffff
                inside = square[0] <= x < square[0] + 40 and square[1] <= y < square[1] + 40
                luma.append((235 if inside else (x + 2 * y + 3 * frame) & 127) + (state >> 20 & 15))
        parts += [bytes(luma), bytes((x + y + frame) & 255 for y in range(height // 2) for x in range(width // 2)),
                  bytes((2 * x - y + frame) & 255 for y in range(height // 2) for x in range(width // 2))]
    (root / "programs/clip.y4m").write_bytes(b"".join(parts))


def chroot_command(root, *command):
    """Runs a command natively with one of the trees as its root folder, in a mount namespace of its own."""
    set_up = 'for name in proc sys dev; do mount --rbind /$name "$0/$name"; done; exec chroot "$0" "$@"'
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["env", "-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "unshare", "--mount", *user, "sh", "-c", set_up, str(root), *command]


def chroot(root, command):
    subprocess.run(chroot_command(root, "/bin/sh", "-c", command), check=True, stdout=subprocess.DEVNULL)


def stamp_of(part):
    digest = hashlib.sha256()
    for path in (pathlib.Path(__file__), HERE / "build_guests.py", HERE / f"programs/{part}.sh"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_built(part, out):
    stamp = out / f"{part}.stamp"
    return stamp.exists() and stamp.read_text() == stamp_of(part) and (out / f"{part}.img").exists() and (out / part).is_dir()


def build_part(part, tree, out):
    for kept in (out / f"{part}.stamp", out / f"{part}.native", out / f"{part}-short.native"):
        kept.unlink(missing_ok=True)
    root = out / part
    shutil.rmtree(root, ignore_errors=True)
    build_tree(part, tree, root)
    if part == "perl":
        add_perl(root, tree.parent)
    elif part == "openssl":
        add_keys(root, chroot)
    elif part == "x264":
        add_clip(root)
    archive = build_guests.Cpio()
    archive.tree(root)
    for name in [name for name in archive.entries if re.match(r"(bin|dev|proc|sys|tmp|lib64)(/|$)", name)]:
        del archive.entries[name]  # the guest has its own
    (out / f"{part}.img").write_bytes(archive.bytes())
    (out / f"{part}.stamp").write_text(stamp_of(part))
    say(f"{out / part}.img: {(out / f'{part}.img').stat().st_size / 1e6:.0f} MB")


def build(parts, out):
    """Builds those of the parts that are not there; quick when there are none."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    parts = [part for part in parts if not is_built(part, out)]
    if not parts:
        return
    work = out / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree = unpack(["busybox-static", *dependencies([name for part in parts for name in PARTS[part][0]])], work)
    for part in parts:
        build_part(part, tree, out)
    shutil.rmtree(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--part", default=",".join(PARTS), help="only these, of " + ", ".join(PARTS))
    options = parser.parse_args()
    parts = options.part.split(",")
    for part in parts:
        if part not in PARTS:
            parser.error(f"unknown part '{part}'")
    build(parts, options.out)


if __name__ == "__main__":
    main()
