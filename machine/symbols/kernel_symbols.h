// KernelSymbols: names of what the guest's kernel runs, wherever KASLR has put it.
//
// How far it runs from where it was linked is read off the guest whenever it is asked: from registers that hold the addresses
// of functions whose names the file has. Before the kernel has set one of them nothing is known.
//
// Thread: the one that runs the machine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "machine/board/processors.h"
#include "machine/symbols/symbol_table.h"

namespace reprise::machine::symbols {

/// Where the kernel runs is `bytes` above (in two's complement) where it was linked.
struct Slide {
  u64 bytes = 0;
  std::string by;  // what shows it: "LSTAR, which is entry_SYSCALL_64"; empty: nothing has to
};

class KernelSymbols {
 public:
  /// `table` may be null: then nothing has a name. `processors` outlive this.
  KernelSymbols(std::shared_ptr<const SymbolTable> table, const Processors& processors);

  /// The user gave a file.
  bool given() const { return table_ != nullptr; }
  /// given().
  const SymbolTable& table() const { return *table_; }

  /// Nothing: the kernel has not set its registers yet, or another kernel runs.
  std::optional<Slide> slide() const;
  /// Where what lies at `linear` now was linked, if that is known and has a name.
  std::optional<u64> linked(u64 linear) const;
  /// "schedule+0x1c"; empty: it has no name.
  std::string text(u64 linear) const;
  /// The same, of where it was linked.
  std::string linked_text(u64 linked) const;
  /// Where it lies now. A per-CPU variable: its offset, or address, for %gs.
  std::optional<u64> address_of(std::string_view name) const;

 private:
  /// A register of a processor that holds the address of a function.
  struct Anchor {
    enum class Place : u8 { Lstar, PageFaultGate, EarlyPageFaultGate };
    Place place;
    std::string_view symbol;
    u64 linked;
  };
  static std::optional<u64> read(const cpu::Cpu& cpu, Anchor::Place place);
  std::optional<Slide> slide_of(const cpu::Cpu& cpu) const;

  std::shared_ptr<const SymbolTable> table_;
  const Processors& processors_;
  std::vector<Anchor> anchors_;  // that the file has; none: it is of something that does not move
};

}  // namespace reprise::machine::symbols
