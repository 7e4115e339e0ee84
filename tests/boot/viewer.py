"""A viewer of VNC displays (RFC 6143): raw rectangles, changes of size, keys by keysym and by QEMU's extended key event."""

import select
import socket
import struct
import time

import runner

RAW, DESKTOP_SIZE, QEMU_KEYS = 0, -223, -258
NO_AUTHENTICATION, VNC_AUTHENTICATION = 1, 2


def connect(address, seconds=30):
    """A socket to "HOST:PORT" or "unix:PATH"."""
    if address.startswith("unix:"):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(seconds)
        link.connect(address[len("unix:"):])
        return link
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


def take(link, count):
    data = bytearray()
    while len(data) < count:
        part = link.recv(min(count - len(data), 1 << 20))
        runner.expect(part, "the server closed the connection")
        data += part
    return bytes(data)


class Viewer:
    def __init__(self, address, encodings=(RAW, DESKTOP_SIZE, QEMU_KEYS)):
        self.link = connect(address)
        self.qemu_keys = False
        runner.expect(self.take(12) == b"RFB 003.008\n", "the server speaks another version")
        self.link.sendall(b"RFB 003.008\n")
        types = self.take(self.take(1)[0])
        runner.expect(types == bytes([NO_AUTHENTICATION]), f"the server offers the security types {list(types)}")
        self.link.sendall(types)
        runner.expect(self.take(4) == bytes(4), "the server refused")
        self.link.sendall(b"\1")
        self.width, self.height, _, name_bytes = struct.unpack(">HH16sI", self.take(24))
        self.name = self.take(name_bytes)
        self.pixels = bytearray(4 * self.width * self.height)
        # 32 bits, little endian, red in bits 16 to 23.
        self.link.sendall(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.link.sendall(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def take(self, count):
        return take(self.link, count)

    def request(self, incremental):
        self.link.sendall(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def update(self):
        """Takes one update. Returns the rectangles with pixels: (x, y, width, height)."""
        drawn = []
        runner.expect(self.take(2)[0] == 0, "the server sent something else than an update")
        for _ in range(*struct.unpack(">H", self.take(2))):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self.take(12))
            if encoding == DESKTOP_SIZE:
                self.width, self.height = width, height
                self.pixels = bytearray(4 * width * height)
            elif encoding == QEMU_KEYS:
                self.qemu_keys = True
            else:
                runner.expect(encoding == RAW, f"the server sent encoding {encoding}")
                rows = self.take(4 * width * height)
                for row in range(height):
                    at = 4 * ((y + row) * self.width + x)
                    self.pixels[at:at + 4 * width] = rows[4 * width * row:4 * width * (row + 1)]
                drawn.append((x, y, width, height))
        return drawn

    def rgb(self):
        """As a PPM has them."""
        out = bytearray(3 * self.width * self.height)
        for channel in range(3):
            out[channel::3] = self.pixels[2 - channel::4]
        return bytes(out)

    def wait_for(self, condition, what, seconds=60):
        """Looks until `condition` holds for this viewer."""
        end = time.monotonic() + seconds
        self.request(0)
        while True:
            size = self.width, self.height
            self.update()
            if condition(self):
                return
            runner.expect(time.monotonic() < end, f"{what} did not show")
            self.request(int((self.width, self.height) == size))

    def drain(self, quiet_seconds=0.3):
        """Takes what was asked for and is still to come."""
        while select.select([self.link], [], [], quiet_seconds)[0]:
            self.update()

    def key(self, keysym, down):
        self.link.sendall(struct.pack(">BBxxI", 4, down, keysym))

    def press(self, keysym):
        self.key(keysym, 1)
        self.key(keysym, 0)

    def press_code(self, keycode, keysym=0):
        """By scan code; 80h stands for E0h before it."""
        runner.expect(self.qemu_keys, "the server did not offer the extended key event")
        for down in (1, 0):
            self.link.sendall(struct.pack(">BBHII", 255, 0, down, keysym, keycode))

    def point(self, x, y, buttons=0):
        self.link.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def close(self):
        self.link.close()
