// The JIT against the interpreter: the hardware oracle's cases, whole or sliced at random, must end alike in
// every bit.
#include <fmt/format.h>

#include "jit/engine/jit_engine.h"
#include "tests/native/case_options.h"
#include "tests/native/emulator_runner.h"
#include "tests/native/generator.h"
#include "tests/native/random.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

struct Options : CaseOptions {
  Options() : CaseOptions{.cases = 100, .sequences = 20000} {}
  u64 show = 3;
  bool stats = false;
  std::string without;
};

EmulatorRunner::MakeEngine make_jit(jit::PassSet passes) {
  return [passes](const cpu::CpuProfile& profile, mmu::CodePages& code_pages) {
    jit::JitOptions options;
    options.threshold = 1;
    options.pace = 0;
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
    for_each_row(options_, [&](Mnemonic mnemonic, const std::string& name) {
      if (!skip_reason(mnemonic).empty()) return;
      run_cases(name, options_.cases, [&](u64 k) { return generator_.make(mnemonic, options_.seed, k); });
    });
    const auto run_sequences = [&](const std::string& name, unsigned length, bool (*of)(Mnemonic)) {
      if (!options_.wanted(name)) return;
      run_cases(name, options_.sequences,
                [&](u64 k) { return generator_.make_sequence(options_.seed, k, length, of); });
    };
    run_sequences("SEQUENCE", 8, nullptr);
    run_sequences("FP", 16, on_vector_or_x87);
    const auto& engine = static_cast<const jit::JitEngine&>(jit_.engine());
    if (options_.stats) fmt::print("{}", engine.stats());
    fmt::print("lockstep: seed {}, {} cases, {} differences; {} blocks translated, {} failed\n",
               options_.seed, total_, failures_, engine.translated(), engine.failures());
    return failures_ == 0 && engine.failures() == 0 && engine.translated() > total_ / 4 ? 0 : 1;
  }

 private:
  template <class Make>
  void run_cases(const std::string& name, u64 count, Make make) {
    shown_ = 0;
    for (u64 k = 0; k < count; ++k)
      if (auto test = make(k)) check(name, *test, k);
  }

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
  options.add_to(app);
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
