// A machine with a guest of a few bytes of 32-bit code in a Multiboot image.
#pragma once

#include "machine/machine.h"
#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine {

using Code = std::vector<u8>;

inline Code operator+(Code a, const Code& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Instructions, by their effect.
inline Code out8(u16 port, u8 value) {
  return {0x66,  0xba, static_cast<u8>(port), static_cast<u8>(port >> 8), 0xb0,
          value, 0xee};  // mov dx; mov al; out
}
inline Code out16(u16 port, u16 value) {
  return {0x66, 0xba, static_cast<u8>(port),  static_cast<u8>(port >> 8),
          0x66, 0xb8, static_cast<u8>(value), static_cast<u8>(value >> 8),
          0x66, 0xef};
}
inline Code print(std::string_view text) {
  Code code;
  for (const char c : text) code = code + out8(kCom1Port, static_cast<u8>(c));
  return code;
}
inline const Code kSpin = {0xeb, 0xfe};
inline const Code kHlt = {0xf4};
inline const Code kCli = {0xfa};
inline const Code kSti = {0xfb};
inline const Code kMaskPics = out8(0x21, 0xff) + out8(0xa1, 0xff);
inline const RunLimits kADay = [] {
  RunLimits limits;
  limits.virtual_timeout_ns = 86'400'000'000'000;
  return limits;
}();
inline const Code kPowerOff = out16(kPm1ControlPort, 0x2000);

struct Capture final : devices::CharBackend {
  std::string text;
  void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
};

/// A machine that runs `code` at 1 MiB + 32.
struct Guest {
  explicit Guest(const Code& code, const MachineConfig& base = {})
      : Guest(boot::TemporaryFile(image(code)), base) {}
  explicit Guest(const boot::TemporaryFile& file, const MachineConfig& base, AccessTraces traces = {}) {
    MachineConfig config = base;
    config.ram_bytes = 4 * kMiB;
    config.boot.kernel_path = file.path();
    auto created = Machine::create(config, {.com1 = com1, .com2 = com2, .traces = traces}, log);
    EXPECT_TRUE(created.ok()) << created.error().message;
    machine = created.take();
  }
  static std::string image(const Code& code) {
    Code bytes(32);
    const u32 words[] = {0x1badb002, 0x10000, 0u - 0x1badb002 - 0x10000, 0x100000, 0x100000, 0, 0, 0x100020};
    for (std::size_t i = 0; i < 8; ++i) boot::put<u32>(bytes, 4 * i, words[i]);
    bytes = bytes + code;
    return {bytes.begin(), bytes.end()};
  }
  RunResult run(RunLimits limits = {}) {
    if (!limits.virtual_timeout_ns) limits.virtual_timeout_ns = 2'000'000'000;
    return machine->run(limits);
  }

  Capture com1, com2;
  Log log;
  std::unique_ptr<Machine> machine;
};

inline Code store32(u32 address, u32 value) {
  Code code = {0xc7, 0x05};  // mov dword [address], value
  for (const u32 word : {address, value})
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(word >> (8 * i)));
  return code;
}

/// A guest that sleeps (S3) and says W when it is woken in real mode. `enabled`: of PM1_EN.
inline Code sleeper(u16 enabled) {
  Guest probe(kSpin);
  u32 facs = 0;
  for (u32 at = 0xe0000; at < 0x100000; at += 64)
    if (probe.machine->pc().phys_map().read(at, Width::Dword) == 0x53434146) facs = at;
  EXPECT_NE(facs, 0u);
  constexpr u32 kVector = 0x8013;  // 800h:13h
  // mov dx, 3F8h; mov al, 'W'; out dx, al; mov dx, 604h; mov ax, 2000h; out dx, ax
  const Code woken = {0xba, 0xf8, 0x03, 0xb0, 'W', 0xee, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0, 0, 0};
  Code code = store32(facs + 12, kVector);
  for (u32 i = 0; i < woken.size(); i += 4)
    code = code + store32(kVector + i, read_unaligned<u32>(&woken[i]));
  const auto rtc = [](u8 index, u8 value) { return out8(0x70, index) + out8(0x71, value); };
  for (const u8 alarm : {1, 3, 5}) code = code + rtc(alarm, 0xff);  // every second
  return code + rtc(0x0b, 0x22) + out16(kPm1EventPort + 2, enabled) + out16(kPm1ControlPort, 0x2400) +
         print("still awake") + kPowerOff;
}

}  // namespace reprise::machine
