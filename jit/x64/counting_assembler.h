// An assembler that counts what it emits: by what it is for, in the piece of code that it belongs to.
#pragma once

#include <utility>
#include <vector>

#include "jit/host/host_insn_counts.h"
#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {

class CountingAssembler final : public x86::Assembler {
 public:
  /// Instructions are counted in `code`'s pieces, the first of which begins with begin_piece(); nullptr: they
  /// are not.
  void count_in(CountedCode* code) {
    code_ = code;
    piece_ = &uncounted_;
    counters_.clear();
  }
  /// What follows runs from its first instruction to its last. Registers and status flags stay.
  void begin_piece();
  /// Where host code begins and ends that only counts, of what was emitted since count_in().
  const std::vector<std::pair<u32, u32>>& counters() const { return counters_; }
  /// One more of the guest's instructions is in the piece.
  void begin_guest_insn() { ++piece_->guest_insns; }
  /// What is emitted from here on is for `kind`. Returns what the instructions before were for.
  HostInsn count_as(HostInsn kind) {
    const HostInsn before = kind_;
    kind_ = kind;
    return before;
  }

  asmjit::Error _emit(asmjit::InstId id, const asmjit::Operand_& o0, const asmjit::Operand_& o1,
                      const asmjit::Operand_& o2, const asmjit::Operand_* others) override {
    ++piece_->insns[static_cast<unsigned>(kind_)];
    return x86::Assembler::_emit(id, o0, o1, o2, others);
  }

 private:
  CountedPiece uncounted_;
  CountedPiece* piece_ = &uncounted_;
  CountedCode* code_ = nullptr;
  std::vector<std::pair<u32, u32>> counters_;
  HostInsn kind_ = HostInsn::Instruction;
};

/// What is emitted while it lives is for `kind`.
class CountAs {
 public:
  CountAs(CountingAssembler& assembler, HostInsn kind) : a_(assembler), before_(a_.count_as(kind)) {}
  ~CountAs() { a_.count_as(before_); }
  CountAs(const CountAs&) = delete;
  CountAs& operator=(const CountAs&) = delete;

 private:
  CountingAssembler& a_;
  const HostInsn before_;
};

}  // namespace reprise::jit::x64
