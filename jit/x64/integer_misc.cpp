// Emission of instructions on single flags, of hints and of fences.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

bool emit_misc(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::CLC:
      e.need_flags(), e.a.clc(), e.flags_made();
      return true;
    case Mnemonic::STC:
      e.need_flags(), e.a.stc(), e.flags_made();
      return true;
    case Mnemonic::CMC:
      e.need_flags(), e.a.cmc(), e.flags_made();
      return true;
    case Mnemonic::CLD:
      e.save_flags();
      e.a.and_(e.rflags(), ~static_cast<i32>(cpu::kRflagsDf));
      e.flags_lost();
      return true;
    case Mnemonic::NOP:
    case Mnemonic::PAUSE:
    case Mnemonic::LFENCE:
    case Mnemonic::MFENCE:
    case Mnemonic::SFENCE:
    case Mnemonic::PREFETCH:
    case Mnemonic::PREFETCHW:
    case Mnemonic::PREFETCHNTA:
    case Mnemonic::PREFETCHT0:
    case Mnemonic::PREFETCHT1:
    case Mnemonic::PREFETCHT2:
      return true;
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
