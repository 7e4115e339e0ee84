// What the guest makes of a page fault: the run goes on from an instant at which one is taken until the instruction is tried again,
// or control goes elsewhere. docs/report.md.
//
// A thread is known by its page tables and by the bases of FS and GS (in the kernel: by its stack), since others of its program run
// meanwhile, on any processor.
//
// Thread: the one that runs the machine, between turns, or outside of Machine::run().
#pragma once

#include <optional>
#include <string_view>

#include "machine/past/excursion.h"

namespace reprise::machine {

struct FaultAnswer {
  enum class End : u8 {
    Retried,  // the instruction is about to be executed again
    Elsewhere,  // the thread goes on somewhere else: a signal handler, a place for errors that the kernel expects
    Named,      // the kernel came to a function from which nothing returns, `name`
    Shutdown,     // no handler could be entered
    RunEnds,      // before any of these
    StillToCome,  // the present of the run was reached before
    TooLong,      // as many instructions retired as were to be waited for
  };

  Position at;        // the instant before the access
  u64 rip = 0;        // linear, of its instruction
  bool user = false;  // it ran at CPL 3
  cpu::Fault fault;
  struct Delivery {
    u8 vector = 0;  // 14, unless the delivery faulted, too
    u64 handler = 0;
  };
  std::optional<Delivery> delivered = {};

  End end = End::TooLong;
  Position until;  // Retried, Elsewhere: where the machine stands, too
  unsigned processor = 0;
  u64 went_to = 0;             // linear, of a return or of a function
  std::string_view name = {};  // Named
};

/// So many instructions are waited for.
inline constexpr u64 kMostAnswerInstructions = u64{1} << 28;

/// Of what `processor` does next, from where `trip` stands. Nothing: that takes no page fault. Error: interrupted, a sentence.
Result<std::optional<FaultAnswer>> follow_fault(Excursion& trip, unsigned processor,
                                                u64 most_instructions = kMostAnswerInstructions);

}  // namespace reprise::machine
