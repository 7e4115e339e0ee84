// LinuxTasks: which process of a Linux guest a processor runs, from the kernel's own variables: `current` and its task_struct.
// Where members lie in it the kernel's description of its types says (BTF): that of the file of symbols, or else the one in the
// guest's memory.
//
// Thread: the one that runs the machine.
#pragma once

#include <optional>
#include <string>

#include "machine/symbols/btf_types.h"
#include "machine/symbols/kernel_symbols.h"

namespace reprise::machine::symbols {

struct LinuxProcess {
  u32 pid = 0;
  std::string name;  // comm of its first thread: at most 15 characters
};

class LinuxTasks {
 public:
  /// `symbols` outlive this.
  explicit LinuxTasks(const KernelSymbols& symbols) : symbols_(symbols) {}

  /// The process that `cpu` runs. Nothing: that is not known. Changes nothing.
  std::optional<LinuxProcess> current(const cpu::Cpu& cpu);

 private:
  struct Layout {
    u64 current_at;                // in a processor's own data
    u64 group_leader, comm, tgid;  // in task_struct
  };
  std::optional<Layout> layout_by(const BtfTypes& types) const;
  void find_layout(const cpu::Cpu& cpu);

  const KernelSymbols& symbols_;
  std::optional<Layout> layout_;
  u64 slide_ = 0;  // while layout_ was found
  unsigned tries_ = 0;
};

}  // namespace reprise::machine::symbols
