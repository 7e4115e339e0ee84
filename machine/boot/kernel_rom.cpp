#include "machine/boot/kernel_rom.h"

#include "common/check.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine::boot {
namespace {

using devices::FwCfg;

constexpr u8 kRom[] = {
#include "roms/kernel_boot.inc"
};

// The labels of kernel_boot.asm; "Table" and "Registers" hold where these are.
constexpr u64 kChecksum = 0x06;
constexpr u64 kCodeSegment = 0x08;
constexpr u64 kDataSegment = 0x0a;
constexpr u64 kStackOffset = 0x0c;
constexpr u64 kRequests = 0x0e;
constexpr u64 kRequestTable = 0x10;
constexpr u64 kScratchSegment = 0x12;
constexpr u64 kIsProtected = 0x14;
constexpr u64 kRegisters = 0x16;
constexpr u64 kPlugAndPlay = 0x1a;
constexpr u64 kPlugAndPlayBytes = 32;
constexpr u64 kPlugAndPlayChecksum = 9;
constexpr u64 kRequestBytes = 16;

u16 label(std::span<const u8> rom, u64 offset) { return *field_at<u16>(rom, offset); }

template <class T>
void put(std::span<u8> bytes, u64 offset, T value) {
  CHECK(offset + sizeof(T) <= bytes.size());
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[offset + i] = static_cast<u8>(u64{value} >> (8 * i));
}

/// A request to the configuration device, in big-endian order: select and read an item.
void put_request(std::span<u8> at, FwCfg::Key key, u64 bytes, u64 phys) {
  constexpr u32 kReadSelected = 1u << 1 | 1u << 3;
  put<u32>(at, 0, __builtin_bswap32(u32{static_cast<u16>(key)} << 16 | kReadSelected));
  put<u32>(at, 4, __builtin_bswap32(static_cast<u32>(bytes)));
  put<u64>(at, 8, __builtin_bswap64(phys));
}

}  // namespace

KernelRom::KernelRom() { boot_.rom.assign(std::begin(kRom), std::end(kRom)); }

void KernelRom::hand_over(FwCfg::Key key, std::vector<u8> bytes, u64 phys) {
  const u64 at = label(boot_.rom, kRequestTable) + boot_.items.size() * kRequestBytes;
  CHECK(boot_.items.size() < kMaxItems && at + kRequestBytes <= boot_.rom.size());
  put_request(std::span(boot_.rom).subspan(at, kRequestBytes), key, bytes.size(), phys);
  boot_.items.push_back({key, std::move(bytes)});
}

FirmwareBoot KernelRom::enter_real_mode(u16 code_segment, u16 data_segment, u16 stack_offset,
                                        u64 scratch_phys) {
  put<u16>(boot_.rom, kCodeSegment, code_segment);
  put<u16>(boot_.rom, kDataSegment, data_segment);
  put<u16>(boot_.rom, kStackOffset, stack_offset);
  return finish(scratch_phys);
}

FirmwareBoot KernelRom::enter_protected_mode(const EntryState& entry, u64 scratch_phys) {
  CHECK(entry.mode == EntryMode::Flat32 && entry.code_selector == 0x08);
  put<u16>(boot_.rom, kIsProtected, 1);
  u64 at = label(boot_.rom, kRegisters);
  for (const u64 value : {entry.rip, entry.rax, entry.rbx, entry.rsi}) {
    put<u32>(boot_.rom, at, static_cast<u32>(value));
    at += 4;
  }
  boot_.remark = entry.remark;
  return finish(scratch_phys);
}

FirmwareBoot KernelRom::finish(u64 scratch_phys) {
  const std::span<u8> rom = boot_.rom;
  put<u16>(rom, kScratchSegment, static_cast<u16>(scratch_phys >> 4));
  put<u16>(rom, kRequests, static_cast<u16>(boot_.items.size()));
  make_sum_zero(rom.subspan(label(rom, kPlugAndPlay), kPlugAndPlayBytes), kPlugAndPlayChecksum);
  make_sum_zero(rom, kChecksum);
  return std::move(boot_);
}

}  // namespace reprise::machine::boot
