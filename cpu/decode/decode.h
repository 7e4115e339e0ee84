// Decode: guest bytes to Insn. The only user of Zydis.
#pragma once

#include <memory>
#include <span>

#include "cpu/core/insn.h"
#include "cpu/decode/insn_table.h"
#include "cpu/profile/cpuid.h"
#include "cpu/state/mode.h"

namespace reprise::cpu {

enum class DecodeStatus : u8 {
  Ok,         // `insn` is complete; instructions that must raise have a raising handler
  Truncated,  // the bytes end inside the instruction
};

class Decoder {
 public:
  explicit Decoder(const CpuProfile& profile);
  ~Decoder();

  /// Decodes the instruction at the start of `bytes` (up to 15 are looked at) for a processor in `mode`.
  /// `offset` is where it starts, from the start of its page. `ends_block` tells whether a block stops here.
  DecodeStatus decode(std::span<const u8> bytes, ModeKey mode, u16 offset, Insn& insn,
                      bool& ends_block) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reprise::cpu
