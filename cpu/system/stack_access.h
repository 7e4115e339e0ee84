// StackAccess: one instruction's or event's pushes and pops on a stack, with the limit checks of legacy modes and, at level
// 3, alignment checks: what is read or written of each slot must be aligned to its own size.
// Pushes are collected, checked together and only then written, so that a fault in the middle leaves no trace;
// pops move a private pointer. The stack pointer register changes only through commit_pointer().
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

enum class StackWidth : u8 { Bits16, Bits32, Bits64 };

class StackAccess {
 public:
  /// The current stack with the current rights.
  explicit StackAccess(Cpu& cpu);
  /// The stack `ss`:`pointer` of privilege level `cpl`. Limit violations raise #SS(`error_code`).
  StackAccess(Cpu& cpu, const Segment& ss, StackWidth width, u64 pointer, u8 cpl, u32 error_code);

  void push(u64 value, unsigned bytes) { push_partial(value, bytes, bytes); }
  /// A selector in a slot of `bytes`: 4-byte slots keep their upper half, 8-byte slots are zero-extended.
  void push_selector(u16 selector, unsigned bytes) { push_partial(selector, bytes, bytes == 4 ? 2 : bytes); }
  /// Writes all pushes. False: a fault was raised and nothing written.
  [[nodiscard]] bool commit_pushes();

  /// False: a fault was raised.
  [[nodiscard]] bool pop(unsigned bytes, u64& value) { return pop_partial(bytes, bytes, value); }
  /// The selector in a slot of `bytes`; only the selector itself is read.
  [[nodiscard]] bool pop_selector(unsigned bytes, u64& value) { return pop_partial(2, bytes, value); }
  void skip(u64 bytes) { pointer_ = (pointer_ + bytes) & mask_; }
  /// Probes without reading: for checks that the manual puts before the first pop.
  u64 pointer() const { return pointer_; }

  /// SP, ESP or RSP := pointer(); with a 16-bit stack the upper bits stay.
  void commit_pointer();

 private:
  static constexpr unsigned kMaxPushes = 40;  // a call gate copies up to 31 parameters
  struct Push {
    u64 linear;
    u64 value;
    unsigned bytes;
  };

  void push_partial(u64 value, unsigned slot_bytes, unsigned stored_bytes);
  bool pop_partial(unsigned read_bytes, unsigned slot_bytes, u64& value);
  bool misaligned(u64 linear, unsigned bytes) const;
  bool linear_of(u64 offset, unsigned bytes, u64& linear);
  bool store(u64 linear, const u8* from, unsigned bytes);
  bool load(u64 linear, u8* into, unsigned bytes);
  bool fail_memory();

  Cpu& cpu_;
  const Segment ss_;
  u64 pointer_;
  u64 mask_;
  StackWidth width_;
  mmu::View view_;
  u32 error_code_;
  bool check_alignment_;
  bool limit_violated_ = false;
  bool misaligned_ = false;
  unsigned count_ = 0;
  Push pushes_[kMaxPushes];
};

/// The width of the current stack pointer.
StackWidth stack_width(const Cpu& cpu);
/// The rights of explicit accesses at `cpl`.
mmu::View view_of(const CpuState& state, u8 cpl);

}  // namespace reprise::cpu
