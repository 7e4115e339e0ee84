// Makes cases from the instruction table: discovers every operand form of a row by asking the encoder, then
// draws registers, memory targets, immediates and prefixes from a seed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/core/insn.h"
#include "tests/native/case.h"
#include "tests/native/vendor.h"

namespace reprise::native {

/// Why user mode on the host cannot serve as an oracle for a row; empty when it can.
std::string_view skip_reason(cpu::Mnemonic mnemonic);

class Generator {
 public:
  /// Cases for a host of `vendor`: what they may differ in.
  explicit Generator(Vendor vendor = Vendor::Intel);
  ~Generator();

  /// Number of operand forms found for a row; 0 when the encoder has none.
  unsigned forms(cpu::Mnemonic mnemonic) const;

  /// Case `index` of a row for a seed; the same arguments give the same case. Empty when the row has no form.
  std::optional<Case> make(cpu::Mnemonic mnemonic, u64 seed, u64 index) const;

  /// A run of up to `length` instructions of random rows. Flags left undefined by one are set again before the next.
  /// Only of rows that `wanted` takes, if given.
  std::optional<Case> make_sequence(u64 seed, u64 index, unsigned length,
                                    bool (*wanted)(cpu::Mnemonic mnemonic) = nullptr) const;

  /// The instructions of a case as text, one per line.
  /// Bytes that are no instruction, up to the end of the code pages, sometimes with some of them beyond.
  std::optional<Case> make_undefined(u64 seed, u64 index) const;

  static std::string disassemble(const Case& test);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reprise::native
