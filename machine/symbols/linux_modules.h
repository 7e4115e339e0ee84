// LinuxModules: names of what a Linux guest's modules run, from the kernel's own list of them and their symbol tables in the guest's
// memory.
//
// Thread: the one that runs the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/symbols/kernel_symbols.h"
#include "machine/symbols/linux_types.h"

namespace reprise::machine::symbols {

class LinuxModules {
 public:
  /// `symbols` outlive this.
  explicit LinuxModules(const KernelSymbols& symbols) : symbols_(symbols) {}

  /// "dice_read+0x1c [dice]"; empty: no module lies at `linear`, or that is not known. Changes nothing.
  std::string text(const cpu::Cpu& cpu, u64 linear);

 private:
  struct Layout {
    u64 list, name, base, bytes;  // in module
    u64 kallsyms;                 // in the same
    u64 symtab, count, strtab;    // in what that points to
  };
  struct Symbol {
    u64 linear;
    std::string name;
  };
  struct Module {
    u64 at = 0;  // the structure
    u64 base = 0;
    u64 bytes = 0;
    std::string name;
    std::vector<Symbol> functions;  // by address
  };

  bool find_layout(const cpu::Cpu& cpu);
  static std::optional<Layout> layout_by(const BtfTypes& types);
  /// The module at `linear`, as the list has it now.
  std::optional<Module> module_at(const cpu::Cpu& cpu, u64 linear) const;
  void read_functions(const cpu::Cpu& cpu, Module& module) const;

  const KernelSymbols& symbols_;
  std::optional<Layout> layout_;
  unsigned tries_ = 0;
  Module last_;  // that was asked for
};

}  // namespace reprise::machine::symbols
