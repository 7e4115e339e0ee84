// Spaces: the address spaces that a guest uses, each with the root of its page tables in CR3, and the program in it.
//
// The same root is another space when its program has ended and its page went to a new one: whoever knows says so by end().
#pragma once

#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/types.h"
#include "cpu/core/cpu.h"
#include "machine/symbols/linux_tasks.h"

namespace reprise::machine::memory_report {

struct Space {
  u64 root = 0;                   // bits 51:12 of CR3
  std::string name;               // of the program; empty: not known
  std::string words;              // its arguments as far as they are short
  symbols::LinuxProcess process;  // as the kernel says; with its PID 0: not known
  u64 begin_ns = 0;
  u64 begin_retired = 0;
  u64 end_ns = 0;  // 0: it goes on
  u64 faults = 0;
  u64 stack = 0;  // where the name was found; 0: it was not
  unsigned name_tries = 0;
  bool user = false;  // programs have run there
};

class Spaces {
 public:
  /// Whatever is global, and all of the upper half: every space has it.
  static constexpr u32 kKernel = 0;
  /// While paging is off.
  static constexpr u32 kUnpaged = 1;
  /// Those for which there was no more room.
  static constexpr u32 kOthers = 2;
  static constexpr u32 kMax = 1u << 16;

  Spaces();

  /// The one of `root`, which is new if it has ended or was never there.
  u32 of_root(u64 root, u64 now_ns, u64 retired);
  /// If there is one.
  std::optional<u32> find(u64 root) const;
  /// The space of `root` is no more.
  void end(u64 root, u64 now_ns);

  /// Calls visit(space, root) for those that go on.
  template <class Visit>
  void for_each_live(Visit visit) const {
    for (u32 space = kOthers + 1; space < all_.size(); ++space)
      if (all_[space].end_ns == 0) visit(space, all_[space].root);
  }

  Space& at(u32 space) { return all_[space]; }
  const std::vector<Space>& all() const { return all_; }

  /// A program of the space that `cpu` is in begins to run, or has begun: looks for its name. Linux on x86-64 leaves it,
  /// with the arguments, where the stack pointer is first; what was forked has it at the same address as its parent.
  void find_name(u32 space, const cpu::Cpu& cpu);
  /// `process` runs in it. The first one counts, with the name that it had last: until a new one has executed its own program it may
  /// be in its parent's.
  void runs(u32 space, const symbols::LinuxProcess& process);

 private:
  std::vector<Space> all_;
  std::unordered_map<u64, u32> by_root_;  // of those that go on
};

}  // namespace reprise::machine::memory_report
