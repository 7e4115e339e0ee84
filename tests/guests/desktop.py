"""What makes a disk image of build_disk.py a graphical one: X, a light desktop, a Wayland compositor, GRUB's graphical menu."""

import struct
import zlib

PACKAGES = ["xserver-xorg-core", "xserver-xorg-input-libinput", "xserver-xorg-video-fbdev", "xinit", "icewm", "xterm",
            "x11-apps", "x11-utils", "x11-xserver-utils", "xfonts-base", "fonts-dejavu-core", "grub-theme-starfield", "weston"]
TILE = 256  # pixels of the wallpaper's sides, which is repeated over the screen

THEME = "/usr/share/grub/themes/starfield"

# No screen saver: what idles while nobody is connected passes quickly.
UNIT = """\
[Unit]
Description=Desktop
After=systemd-user-sessions.service
ConditionKernelCommandLine=!wayland

[Service]
Environment=HOME=/root
WorkingDirectory=/root
ExecStart=/usr/bin/xinit /usr/bin/icewm-session -- /usr/bin/Xorg :0 vt7 -nolisten tcp -s 0 -dpms

[Install]
WantedBy=graphical.target
"""

# A session of its own on a terminal, by which the compositor gets the card and the devices.
WAYLAND_UNIT = """\
[Unit]
Description=Wayland
After=systemd-user-sessions.service dbus.socket systemd-logind.service
ConditionKernelCommandLine=wayland

[Service]
User=root
PAMName=login
TTYPath=/dev/tty7
TTYReset=yes
StandardInput=tty-fail
StandardOutput=journal
Environment=HOME=/root XDG_RUNTIME_DIR=/run/user/0
ExecStart=/usr/bin/weston --backend=drm-backend.so --use-pixman --log=/var/log/weston.log

[Install]
WantedBy=graphical.target
"""
WESTON = """\
[core]
idle-time=0

[shell]
background-image=/usr/share/desktop.png
background-type=tile
panel-position=none
locking=false

[autolaunch]
path=/usr/bin/weston-terminal
"""

# Where windows are and what the wallpaper is, so that a picture of the screen can be checked.
PREFERENCES = """\
DesktopBackgroundScaled=0
DesktopBackgroundCenter=0
DesktopBackgroundImage="/usr/share/desktop.png"
"""
# A movement of the mouse by N is one of the pointer by N.
POINTER = """\
Section "InputClass"
    Identifier "pointers"
    MatchIsPointer "on"
    Option "AccelProfile" "flat"
EndSection
"""
STARTUP = """\
#!/bin/sh
xterm -geometry 80x24+40+40 -fn 9x15 -title Terminal &
xeyes -geometry 200x150-40+40 &
"""


def pixel(x, y):
    """The wallpaper's color at a place of the screen; tests/boot/desktop.py knows the formula, too."""
    x, y = x % TILE, y % TILE
    return 64 + x // 4, 96 + y // 4, 128 + (x ^ y) // 4


def wallpaper():
    """A PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(c for x in range(TILE) for c in pixel(x, y)) for y in range(TILE))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", TILE, TILE, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def grub_cfg(kernel_version, root_uuid, arguments, fonts):
    """Modes have 32 bits: on a framebuffer of 24, which GRUB's own driver for the card would choose, X's fbdev gives up."""
    def entry(title, payload, more):
        return f"""\
menuentry '{title}' {{
\tset gfxpayload={payload}
\tlinux /boot/vmlinuz-{kernel_version} root=UUID={root_uuid} ro {arguments} {more}
\tinitrd /boot/initrd.img-{kernel_version}
}}
"""

    load_fonts = "".join(f"loadfont {THEME}/{font}\n" for font in fonts)
    return f"""\
set default=0
set timeout=5
insmod part_msdos
insmod part_gpt
insmod ext2
search --no-floppy --fs-uuid --set=root {root_uuid}
if [ "$grub_platform" = pc ]; then insmod vbe; else insmod all_video; fi
insmod gfxterm
insmod gfxmenu
insmod png
loadfont unicode
set gfxmode=1024x768x32
terminal_output gfxterm
{load_fonts}set theme={THEME}/theme.txt
""" + entry("Debian GNU/Linux", "keep", "") + \
        entry("Debian GNU/Linux on the framebuffer of the firmware", "keep", "modprobe.blacklist=bochs") + \
        entry("Debian GNU/Linux on a framebuffer of 16 bits", "1024x768x16,1024x768", "modprobe.blacklist=bochs") + \
        entry("Debian GNU/Linux from text mode", "text", "") + \
        entry("Debian GNU/Linux with Wayland", "keep", "wayland")


def configure(tree):
    """Adds the files of the desktop to the root file system in folder `tree`."""
    (tree / "usr/share/desktop.png").write_bytes(wallpaper())
    units = tree / "etc/systemd/system"
    wanted = units / "graphical.target.wants"
    wanted.mkdir(exist_ok=True)
    for name, unit in (("desktop", UNIT), ("wayland", WAYLAND_UNIT)):
        (units / f"{name}.service").write_text(unit)
        (wanted / f"{name}.service").symlink_to(f"/etc/systemd/system/{name}.service")
    weston = tree / "etc/xdg/weston/weston.ini"
    weston.parent.mkdir(parents=True, exist_ok=True)
    weston.write_text(WESTON)
    pointer = tree / "etc/X11/xorg.conf.d/50-pointer.conf"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(POINTER)
    settings = tree / "root/.icewm"
    settings.mkdir()
    (settings / "prefoverride").write_text(PREFERENCES)
    (settings / "startup").write_text(STARTUP)
    (settings / "startup").chmod(0o755)
