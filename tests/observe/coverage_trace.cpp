// coverage_trace: compares coverage with a trace of every instruction.
//
//     coverage_trace BEGIN LENGTH run OPTIONS
//
// The machine runs BEGIN instructions, then LENGTH more: once with coverage, once while each instruction is told, by the
// interpreter, and once with nobody who looks. The code must be the same, and so must the state at the end.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "machine/observe/coverage.h"
#include "tests/run_of_options.h"

namespace reprise {
namespace {

using machine::CodeOf;
using machine::ExecutedBytes;

int complain(std::string_view text) {
  fmt::print(stderr, "coverage_trace: {}\n", text);
  return 1;
}

/// Every instruction, whatever is known of it.
class Trace final : public cpu::InsnObserver {
 public:
  explicit Trace(cpu::Cpu& cpu) : cpu_(cpu) { cpu_.insn_observers.push_back(this); }
  ~Trace() override { std::erase(cpu_.insn_observers, this); }
  bool knows(u64, u64) const override { return false; }
  void begins(const cpu::Insn& insn, u64 linear, u64, u64) override {
    ++insns_;
    (cpu_.state.cpl == 3 ? user_ : kernel_).add(linear, insn.length() == 0 ? 1 : insn.length());
  }
  void ended(const cpu::Insn&, cpu::Status) override {}

  const ExecutedBytes& executed(CodeOf whose) const { return whose == CodeOf::User ? user_ : kernel_; }
  u64 insns() const { return insns_; }

 private:
  cpu::Cpu& cpu_;
  ExecutedBytes user_, kernel_;
  u64 insns_ = 0;
};

int main_of(const std::vector<std::string>& words) {
  const Result<Stretch> stretch = parse_stretch(words);
  if (!stretch) return complain(stretch.error().message);
  const auto& [begin, end, options] = stretch.value();

  Run plain(options), traced(options), covered(options);
  for (Run* run : {&plain, &traced, &covered})
    if (const auto started = run->start(begin); !started) return complain(started.error().message);
  const machine::RunResult of_plain = plain.run_to(end);

  machine::Coverage coverage;
  coverage.begin(*covered.machine);
  if (covered.run_to(end).state_hash != of_plain.state_hash) return complain("coverage changed the run");

  Trace trace(traced.machine->pc().processors().boot().cpu);
  if (traced.run_to(end).state_hash != of_plain.state_hash) return complain("the trace changed the run");

  u64 bytes = 0;
  for (const CodeOf whose : {CodeOf::Kernel, CodeOf::User}) {
    const auto seen = coverage.executed(whose).ranges(), expected = trace.executed(whose).ranges();
    for (std::size_t i = 0; i < std::min(seen.size(), expected.size()); ++i)
      if (!(seen[i] == expected[i]))
        return complain(fmt::format("coverage has {:x} to {:x} where the trace has {:x} to {:x}",
                                    seen[i].begin, seen[i].end, expected[i].begin, expected[i].end));
    if (seen.size() != expected.size())
      return complain(fmt::format("coverage has {} ranges, the trace {}", seen.size(), expected.size()));
    for (const ExecutedBytes::Range& range : seen) bytes += range.end - range.begin;
  }
  fmt::print("{} bytes of code agree, over {} instructions\n", bytes, trace.insns());
  return bytes == 0 ? complain("nothing was compared") : 0;
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) { return reprise::main_of({argv + 1, argv + argc}); }
