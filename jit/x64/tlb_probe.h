// TlbProbe: the look into the first-level TLB, and what a miss does: it asks for a refill and looks again, or
// goes where the instruction says.
#pragma once

#include <vector>

#include "jit/x64/emission.h"

namespace reprise::jit::x64 {

/// What a host operand is used for: itself, or anything in its page.
enum class Extent : u8 { Operand, Page };

class TlbProbe {
 public:
  explicit TlbProbe(Emission& emission) : em_(emission) {}

  /// Scratch 1: the entry for the linear address in scratch 0, which entry() then refers to.
  void load_index();
  Mem entry(mmu::Access access, std::size_t field) const;

  /// The linear address in scratch 0 becomes the offset in its page, scratch 1 is for entry(). A miss goes to
  /// `slow`, or comes back to `retry` with the address again.
  void look(const Label& retry, const Label& slow, mmu::Access access, unsigned bytes, Extent extent);
  /// Where a failed look for code goes: to `slow`, but may come back to `retry`.
  Label fetch_miss(const Label& retry, const Label& slow);
  void finish();

  /// How many looks at data were emitted.
  u32 count() const { return count_; }

 private:
  struct Miss {
    Label entry, retry, hit, slow;
    mmu::Access access;
    unsigned bytes;  // to be stored; 0: not only those, or no store
  };

  Emission& em_;
  std::vector<Miss> misses_;
  u32 count_ = 0;
};

}  // namespace reprise::jit::x64
