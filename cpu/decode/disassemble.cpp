#include "cpu/decode/disassemble.h"

#include <Zydis/Zydis.h>

namespace reprise::cpu {

std::vector<u8> peek_code(mmu::Mmu& mmu, u64 linear) {
  std::vector<u8> bytes;
  for (u64 phys = 0; bytes.size() < kMaxInsnBytes && mmu.peek_translate(linear + bytes.size(), phys);) {
    const u8* const host = mmu.phys_map().find(phys).host;
    if (host == nullptr) break;
    bytes.push_back(*host);
  }
  return bytes;
}

Disassembled disassemble(std::span<const u8> bytes, u64 address, unsigned bits) {
  const ZydisMachineMode mode = bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                                : bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                             : ZYDIS_MACHINE_MODE_LEGACY_16;
  ZydisDisassembledInstruction instruction;
  if (!ZYAN_SUCCESS(ZydisDisassembleIntel(mode, address, bytes.data(), bytes.size(), &instruction)))
    return {"(bad)", 1};
  return {instruction.text, instruction.info.length};
}

unsigned code_bits(ModeKey mode) {
  switch (mode.code_size()) {
    case CodeSize::Bits16: return 16;
    case CodeSize::Bits32: return 32;
    case CodeSize::Bits64: break;
  }
  return 64;
}

}  // namespace reprise::cpu
