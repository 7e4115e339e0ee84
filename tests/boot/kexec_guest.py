"""A guest's initramfs with a second kernel in it, for tests that start one kernel from another.

/bin/kexec KERNEL INITRD COMMAND-LINE loads and starts the second kernel; with a fourth argument, crash, it loads it for a
panic. /bin/first and /bin/second are scripts, the second one in the initramfs of the second kernel. The kernel is
/kexec/vmlinuz, its initramfs /kexec/initrd."""

import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guests"))
import build_guests  # noqa: E402

# kexec_file_load(2), then reboot(2) into it.
LOADER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const int kernel = open(argv[1], O_RDONLY), initrd = open(argv[2], O_RDONLY);
  const unsigned long flags = argc > 4 && !strcmp(argv[4], "crash") ? KEXEC_FILE_ON_CRASH : 0;
  if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3], flags) != 0) {
    perror("kexec_file_load");
    return 1;
  }
  if (flags != 0) return 0;
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, 0);
  perror("reboot");
  return 1;
}
"""


def initramfs(options, folder, first_script, second_script):
    """Its path, in `folder`. Ends the test as skipped where there is no C compiler."""
    if shutil.which("cc") is None:
        print("SKIP: there is no C compiler")
        sys.exit(77)
    source, loader = folder / "loader.c", folder / "kexec"
    source.write_text(LOADER)
    subprocess.run(["cc", "-static", "-O1", "-o", loader, source], check=True)
    base = pathlib.Path(options.initrd).read_bytes()
    second = build_guests.Cpio()
    second.add("bin/second", 0o100755, second_script.encode())
    first = build_guests.Cpio()
    first.file("bin/kexec", loader)
    first.add("bin/first", 0o100755, first_script.encode())
    first.folder("kexec")
    first.file("kexec/vmlinuz", pathlib.Path(options.kernel))
    first.add("kexec/initrd", 0o100644, base + second.bytes())
    path = folder / "initramfs.img"
    path.write_bytes(base + first.bytes())
    return path
