// The JIT against the interpreter: the hardware oracle's cases, whole or sliced at random, must end alike in
// every bit.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cpu/insn_table.h"
#include "cpu/mnemonic.h"
#include "jit/jit_engine.h"
#include "tests/native/emulator_runner.h"
#include "tests/native/generator.h"
#include "tests/native/random.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

struct Options {
  u64 cases = 100;
  u64 sequences = 20000;
  u64 seed = 1;
  std::string row;
  u64 show = 3;
  bool stats = false;
  std::string without;
};

EmulatorRunner::MakeEngine make_jit(jit::PassSet passes) {
  return [passes](const cpu::CpuProfile& profile, mmu::CodePages& code_pages) {
    jit::JitOptions options;
    options.threshold = 1;
    options.passes = passes;
    return std::make_unique<jit::JitEngine>(profile, code_pages, options);
  };
}

/// What uses registers that generated code may or may not own: handlers among them, LDMXCSR and FLDCW too.
bool on_vector_or_x87(Mnemonic mnemonic) {
  constexpr u16 kChecks = cpu::kCheckSse | cpu::kCheckAvx | cpu::kCheckMmx | cpu::kCheckX87 | cpu::kCheckWait;
  return (cpu::insn_row(mnemonic).checks & kChecks) != 0;
}

class Lockstep {
 public:
  Lockstep(const Options& options, jit::PassSet passes) : options_(options), jit_(make_jit(passes)) {}

  int run() {
    for (u16 i = 1; i < static_cast<u16>(Mnemonic::Count); ++i) {
      const auto mnemonic = static_cast<Mnemonic>(i);
      const std::string name(cpu::insn_row(mnemonic).name);
      if (!options_.row.empty() && options_.row != name) continue;
      if (!skip_reason(mnemonic).empty()) continue;
      shown_ = 0;
      for (u64 k = 0; k < options_.cases; ++k) {
        if (auto test = generator_.make(mnemonic, options_.seed, k)) check(name, *test, k);
      }
    }
    shown_ = 0;
    for (u64 k = 0; k < options_.sequences && (options_.row.empty() || options_.row == "SEQUENCE"); ++k) {
      if (auto test = generator_.make_sequence(options_.seed, k, 8)) check("SEQUENCE", *test, k);
    }
    for (u64 k = 0; k < options_.sequences && (options_.row.empty() || options_.row == "FP"); ++k) {
      if (auto test = generator_.make_sequence(options_.seed, k, 16, on_vector_or_x87)) check("FP", *test, k);
    }
    const auto& engine = static_cast<const jit::JitEngine&>(jit_.engine());
    if (options_.stats) fmt::print("{}", engine.stats());
    fmt::print("lockstep: seed {}, {} cases, {} differences; {} blocks translated, {} failed\n",
               options_.seed, total_, failures_, engine.translated(), engine.failures());
    return failures_ == 0 && engine.failures() == 0 && engine.translated() > total_ / 4 ? 0 : 1;
  }

 private:
  void check(const std::string& name, Case test, u64 index) {
    test.undefined_flags = 0;
    test.tolerance = kExact;
    Random random(test.seed ^ index);
    // Mostly whole; else so that the budget ends inside blocks.
    const u64 slice = random.chance(60) ? ~u64{0} : 1 + random.below(9);
    interp_.run(test, expected_, slice);
    jit_.run(test, actual_, slice);
    ++total_;
    std::string difference = compare(test, expected_, actual_);
    if (interp_.retired() != jit_.retired())
      difference += fmt::format("  instructions {} {}\n", interp_.retired(), jit_.retired());
    if (difference.empty()) return;
    ++failures_;
    if (shown_++ >= options_.show) return;
    fmt::print("{} case {} slice {} (interpreter, then JIT)\n{}{}", name, index, slice,
               Generator::disassemble(test), difference);
  }

  Options options_;
  Generator generator_;
  EmulatorRunner interp_;
  EmulatorRunner jit_;
  Outcome expected_{}, actual_{};
  u64 total_ = 0, failures_ = 0, shown_ = 0;
};

}  // namespace
}  // namespace reprise::native

int main(int argc, char** argv) {
  reprise::native::Options options;
  CLI::App app("Compares the JIT with the interpreter.");
  app.add_option("--cases", options.cases, "cases per table row");
  app.add_option("--sequences", options.sequences, "sequences of several instructions");
  app.add_option("--seed", options.seed, "seed of everything random");
  app.add_option("--row", options.row, "only this row (SEQUENCE, FP: only sequences)");
  app.add_option("--show", options.show, "differences printed in full per row");
  app.add_flag("--stats", options.stats, "what was translated, and which rows were called");
  app.add_option("--no-pass", options.without, "passes to leave out, as of `reprise run`");
  CLI11_PARSE(app, argc, argv);
  auto passes = reprise::jit::PassSet::all();
  if (!options.without.empty()) {
    auto without = reprise::jit::parse_passes(options.without);
    if (!without.ok()) {
      fmt::print(stderr, "{}\n", without.error().message);
      return 2;
    }
    passes.remove(without.take());
  }
  return reprise::native::Lockstep(options, passes).run();
}
