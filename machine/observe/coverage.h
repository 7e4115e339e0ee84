// Coverage: which code the processors of a machine have executed, by linear address. docs/tracing.md.
//
// Exact: an instruction counts when it begins, whatever engine runs it. Engines tell of code until all of it is known at an
// address; then it runs at their full speed.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "machine/machine.h"

namespace reprise::machine {

/// Who executed: programs (CPL 3), or the rest.
enum class CodeOf : u8 { Kernel, User };

/// Bytes of instructions that were executed.
class ExecutedBytes {
 public:
  struct Range {
    u64 begin = 0;
    u64 end = 0;  // behind the last byte
    bool operator==(const Range&) const = default;
  };

  /// The ends of both may lie in different pages, which may be the last and the first one.
  void add(u64 linear, u64 bytes);
  bool has_all(u64 linear, u64 bytes) const;
  /// Ascending, as long as possible.
  std::vector<Range> ranges() const;

 private:
  using Page = std::bitset<kPageBytes>;

  std::unordered_map<u64, Page> pages_;  // by number
};

/// Thread: the one that runs the machine.
class Coverage {
 public:
  Coverage();
  ~Coverage();
  Coverage(const Coverage&) = delete;
  Coverage& operator=(const Coverage&) = delete;

  /// From now on, until end(). `machine` outlives that.
  void begin(Machine& machine);
  void end();

  const ExecutedBytes& executed(CodeOf whose) const { return executed_[static_cast<unsigned>(whose)]; }
  /// A line for each range: whose, where it begins, and where it ends, behind the last byte.
  std::string text() const;

 private:
  class Watch;

  std::array<ExecutedBytes, 2> executed_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace reprise::machine
