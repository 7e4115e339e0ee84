// How many host instructions generated code ran for the guest's, by what they are for (--count-host-insns).
//
// Code is counted in pieces that run from their first instruction to their last: a region's head, its body up to the first
// conditional jump, what follows up to each next one, and each way on behind the branch at its end. Generated code counts how often each begins; the translator
// knows what is in it. Left out are slow paths, exits, stubs and handlers. A piece counts whole also when its
// slow path leaves it in the middle, or a REP has nothing to do. A string instruction with REP is one
// instruction for guest and host.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::jit {

/// What a host instruction is for.
enum class HostInsn : u8 {
  Instruction,    // what the guest's instruction became
  Move,           // guest registers to and from where the instruction takes them
  Probe,          // addresses, segments, alignment and the first-level TLB
  Flags,          // status flags between the host's and rax
  Budget,         // charging instructions
  Lookup,         // where the code behind a return or an indirect jump is, and whether the guest may run it
  EndJump,        // from block to block
  ReturnAddress,  // of calls
  Ownership,      // vector and x87 registers, and the x87's instruction pointer
  HandlerCall,    // of an instruction that is not translated
  Count
};
inline constexpr unsigned kHostInsnKinds = static_cast<unsigned>(HostInsn::Count);
inline constexpr std::array<std::string_view, kHostInsnKinds> kHostInsnNames = {
    "instructions", "moves",     "probes",         "flags",     "budget",
    "lookups",      "end jumps", "return address", "ownership", "handler calls"};

/// Code that runs from its first instruction to its last.
struct CountedPiece {
  u64 runs = 0;  // counted by the code itself
  u16 guest_insns = 0;
  std::array<u16, kHostInsnKinds> insns{};
};

/// The pieces of one block's code.
struct CountedCode {
  static constexpr unsigned kMaxPieces = 16;
  static constexpr unsigned kBody = 1;  // the piece that holds the guest's instructions

  std::array<CountedPiece, kMaxPieces> pieces;
  unsigned used = 0;
};

/// What ran, summed up.
struct HostInsnTotals {
  u64 bodies = 0;  // runs of regions
  u64 guest_insns = 0;
  std::array<u64, kHostInsnKinds> host_insns{};

  /// What `code` ran so far.
  void add(const CountedCode& code);
  void add(const HostInsnTotals& others);
};

/// One line that begins with `title`.
std::string host_insn_text(std::string_view title, const HostInsnTotals& totals);

}  // namespace reprise::jit
