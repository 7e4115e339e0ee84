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
  explicit Guest(const boot::TemporaryFile& file, const MachineConfig& base) {
    MachineConfig config = base;
    config.ram_bytes = 4 * kMiB;
    config.boot.kernel_path = file.path();
    auto created = Machine::create(config, {com1, com2}, log);
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

}  // namespace reprise::machine
