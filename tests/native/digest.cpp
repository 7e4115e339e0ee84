// One line for each row of the instruction table: a digest of the oracle's cases and one of what the
// interpreter makes of them. Two builds agree on every instruction if they print the same, whatever hosts
// they run on.
//
//   instruction_digest [--cases N] [--sequences N] [--seed S] [--row NAME] [--each]
#include <fmt/format.h>

#include "common/hash.h"
#include "tests/native/case_options.h"
#include "tests/native/emulator_runner.h"
#include "tests/native/generator.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

struct Options : CaseOptions {
  Options() : CaseOptions{.cases = 100, .sequences = 5000} {}
  bool each = false;
};

template <class T>
u64 add(u64 digest, const T& value) {
  static_assert(std::has_unique_object_representations_v<T>);
  return hash64({reinterpret_cast<const u8*>(&value), sizeof(value)}, digest);
}

u64 add_registers(u64 digest, const Registers& registers) {
  digest = add(digest, registers.gpr);
  digest = add(digest, registers.rip);
  digest = add(digest, registers.rflags);
  digest = add(digest, registers.fx.bytes);
  return add(digest, registers.ymm_high);
}

u64 add_case(u64 digest, const Case& test) {
  digest = add(digest, test.seed);
  for (unsigned i = 0; i < test.patch_count; ++i) {
    digest = add(digest, test.patches[i].offset);
    digest = add(digest, test.patches[i].value);
  }
  digest = hash64({test.code, test.code_bytes}, digest);
  digest = add(digest, test.rip);
  return add_registers(digest, test.in);
}

u64 add_outcome(u64 digest, const Outcome& outcome) {
  digest = add_registers(digest, outcome.out);
  digest = add(digest, outcome.vector);
  digest = add(digest, outcome.error_code);
  digest = add(digest, outcome.cr2);
  digest = add(digest, outcome.timed_out);
  return add(digest, outcome.data);
}

class Digest {
 public:
  explicit Digest(const Options& options) : options_(options) {}

  void run() {
    for_each_row(options_, [&](Mnemonic mnemonic, const std::string& name) {
      if (!skip_reason(mnemonic).empty()) return;
      run_row(name, options_.cases,
              [&](u64 index) { return generator_.make(mnemonic, options_.seed, index); });
    });
    if (!options_.wanted("SEQUENCE")) return;
    run_row("SEQUENCE", options_.sequences,
            [&](u64 index) { return generator_.make_sequence(options_.seed, index, 8); });
  }

 private:
  template <class Make>
  void run_row(const std::string& name, u64 cases, Make make) {
    u64 in = 0, out = 0;
    for (u64 k = 0; k < cases; ++k) {
      const std::optional<Case> test = make(k);
      if (!test) continue;
      emulator_.run(*test, outcome_);
      in = add_case(in, *test);
      out = add(add_outcome(out, outcome_), emulator_.retired());
      if (options_.each) fmt::print("{} {} {:016x} {:016x}\n", name, k, in, out);
    }
    fmt::print("{} {:016x} {:016x}\n", name, in, out);
  }

  Options options_;
  Generator generator_;
  EmulatorRunner emulator_;
  Outcome outcome_{};
};

}  // namespace
}  // namespace reprise::native

int main(int argc, char** argv) {
  reprise::native::Options options;
  CLI::App app("Prints a digest of what the interpreter does, instruction by instruction.");
  options.add_to(app);
  app.add_flag("--each", options.each, "a line for each case too");
  CLI11_PARSE(app, argc, argv);
  reprise::native::Digest(options).run();
}
