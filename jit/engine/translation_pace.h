// How fast code may be translated again. Where the guest's code does not fit into the memory for code, each piece that is
// translated drops another that will be asked for again; without a bound the engine would do nothing else, and be slower
// than an interpreter.
//
// Dropping costs credit, as much as there are instructions in what is dropped, since as many will be translated in its
// place. Credit comes from running: one for so many instructions that translating it takes a small part of the time they
// took. It is saved up to all that is there, so that a new program finds room at once. What may not be dropped stays, and
// what would have taken its place is interpreted.
#pragma once

#include <algorithm>

#include "common/types.h"

namespace reprise::jit {

class TranslationPace {
 public:
  /// One instruction may be translated again for `insns_run` that ran; 0: no bound.
  explicit TranslationPace(u64 insns_run) : insns_run_(insns_run) {}

  /// Whether code of `insns` instructions of the `all` there are may be dropped now, when `ran` instructions have run
  /// since the beginning. True: it is paid for.
  bool may_drop(u64 insns, u64 all, u64 ran) {
    if (insns_run_ == 0) return true;
    const u64 earned = (ran - counted_) / insns_run_;
    counted_ += earned * insns_run_;
    credit_ = std::min(credit_ + earned, all);
    if (credit_ < insns) return false;
    credit_ -= insns;
    return true;
  }

 private:
  const u64 insns_run_;
  u64 counted_ = 0;  // of `ran`, what credit was given for
  u64 credit_ = 0;
};

}  // namespace reprise::jit
