// The hardware oracle: cases from the instruction table, run on the host CPU and on the engine, compared.
//
//   native_oracle [--cases N] [--sequences N] [--seed S] [--row NAME] [--case K] [--show N] [--list]
//
// Every difference prints a line that reproduces it. Exit code 1 when there is one, or when a row that is not in
// the skip list has no case.
#include <cpuid.h>
#include <fmt/format.h>

#include <array>
#include <memory>
#include <vector>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/profile/cpuid.h"
#include "cpu/state/state.h"
#include "tests/host_vendor.h"
#include "tests/native/case_options.h"
#include "tests/native/emulator_runner.h"
#include "tests/native/generator.h"
#include "tests/native/host_runner.h"
#include "tests/native/vendor.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

constexpr u64 kBatch = 256;
constexpr u64 kAllCases = ~u64{0};

struct Options : CaseOptions {
  Options() : CaseOptions{.cases = 200, .sequences = 2000} {}
  u64 only_case = kAllCases;
  u64 show = 3;
  bool list = false;
  bool exact = false;
};

/// Whether the host offers `feature`: the bits of CPUID that announce it are the guest's.
bool host_offers(cpu::Feature feature) {
  struct Leaf {
    u32 number, subleaf;
  };
  constexpr Leaf kLeaves[] = {{1, 0}, {7, 0}, {0xd, 1}, {0x80000001, 0}, {0x80000008, 0}};
  cpu::CpuProfile without{};
  without.vendor = cpu::kVendorIntel;
  cpu::CpuProfile with = without;
  if (feature == cpu::Feature::Base) return true;
  with.features.set(static_cast<std::size_t>(feature));
  for (const Leaf& leaf : kLeaves) {
    const cpu::CpuidResult absent = cpu::cpuid(without, {}, {}, leaf.number, leaf.subleaf);
    const cpu::CpuidResult there = cpu::cpuid(with, {}, {}, leaf.number, leaf.subleaf);
    cpu::CpuidResult host{};
    __get_cpuid_count(leaf.number, leaf.subleaf, &host.eax, &host.ebx, &host.ecx, &host.edx);
    const auto lacks = [](u32 with_it, u32 without_it, u32 on_host) {
      return (with_it & ~without_it & ~on_host) != 0;
    };
    // EAX has feature bits in leaf DH only.
    if ((leaf.number == 0xd && lacks(there.eax, absent.eax, host.eax)) ||
        lacks(there.ebx, absent.ebx, host.ebx) || lacks(there.ecx, absent.ecx, host.ecx) ||
        lacks(there.edx, absent.edx, host.edx))
      return false;
  }
  return true;
}

bool host_has(Mnemonic mnemonic) {
  static const auto table = [] {
    std::array<bool, static_cast<std::size_t>(cpu::Feature::Count)> offered{};
    for (std::size_t i = 0; i < offered.size(); ++i) offered[i] = host_offers(static_cast<cpu::Feature>(i));
    return offered;
  }();
  return table[static_cast<std::size_t>(cpu::insn_row(mnemonic).feature)];
}
bool host_has_alike(Mnemonic mnemonic) { return host_has(mnemonic) && amd_in_sequences(mnemonic); }

class Oracle {
 public:
  Oracle(const Options& options, Vendor vendor)
      : options_(options), generator_(vendor), amd_(vendor == Vendor::Amd) {}

  int run() {
    unsigned rows = 0;
    for_each_row(options_, [&](Mnemonic mnemonic, const std::string& name) {
      std::string_view reason = skip_reason(mnemonic);
      if (reason.empty() && !host_has(mnemonic)) reason = "the host does not have it";
      if (!reason.empty()) {
        if (options_.list) fmt::print("{:<16} skipped: {}\n", name, reason);
        ++skipped_;
        return;
      }
      ++rows;
      run_row(mnemonic, name);
    });
    run_others("SEQUENCE", [this](u64 index) {
      return generator_.make_sequence(options_.seed, index, 8, amd_ ? host_has_alike : host_has);
    });
    run_others("UNDEFINED", [this](u64 index) { return generator_.make_undefined(options_.seed, index); });
    fmt::print(
        "native oracle: seed {}, {} rows, {} skipped, {} cases, {} differences, {} rows without a case\n",
        options_.seed, rows, skipped_, total_, failures_, empty_rows_);
    return failures_ == 0 && empty_rows_ == 0 ? 0 : 1;
  }

 private:
  struct Pending {
    Case test;
    u64 index;
  };

  void run_row(Mnemonic mnemonic, const std::string& name) {
    u64 made = 0;
    shown_ = 0;
    row_failures_ = 0;
    for (u64 k = 0; k < options_.cases; ++k) {
      const u64 index = options_.only_case == kAllCases ? k : options_.only_case;
      if (auto test = generator_.make(mnemonic, options_.seed, index)) {
        batch_.push_back({*test, index});
        ++made;
      }
      if (batch_.size() == kBatch) flush(name);
      if (options_.only_case != kAllCases) break;
    }
    flush(name);
    if (made == 0) {
      fmt::print("{}: no case\n", name);
      ++empty_rows_;
    }
    if (options_.list || row_failures_ != 0) {
      fmt::print("{:<16} {} forms, {} cases, {} differences\n", name, generator_.forms(mnemonic), made,
                 row_failures_);
    }
  }

  /// Cases that belong to no row of the table.
  template <class Make>
  void run_others(const std::string& name, Make make) {
    if (!options_.wanted(name)) return;
    shown_ = 0;
    row_failures_ = 0;
    for (u64 k = 0; k < options_.sequences; ++k) {
      const u64 index = options_.only_case == kAllCases ? k : options_.only_case;
      if (auto test = make(index)) batch_.push_back({*test, index});
      if (batch_.size() == kBatch) flush(name);
      if (options_.only_case != kAllCases) break;
    }
    flush(name);
    if (row_failures_ != 0) fmt::print("{:<16} {} differences\n", name, row_failures_);
  }

  void flush(const std::string& name) {
    if (batch_.empty()) return;
    std::vector<Case> cases;
    for (const Pending& pending : batch_) cases.push_back(pending.test);
    host_.resize(cases.size());
    const std::string problem = run_on_host(cases, host_);
    if (!problem.empty()) {
      fmt::print("{}: {} (cases {} to {})\n", name, problem, batch_.front().index, batch_.back().index);
      ++failures_;
      ++row_failures_;
    } else {
      for (std::size_t i = 0; i < cases.size(); ++i) check(name, batch_[i], host_[i]);
    }
    total_ += batch_.size();
    batch_.clear();
  }

  void check(const std::string& name, const Pending& pending, const Outcome& host) {
    emulator_.run(pending.test, emulated_);
    Case test = pending.test;
    if (options_.exact) test.tolerance = kExact;
    const std::string difference = compare(test, host, emulated_);
    if (difference.empty()) return;
    ++failures_;
    ++row_failures_;
    if (shown_++ >= options_.show) return;
    fmt::print("native_oracle --seed {} --row {} --case {}\n{}{}", options_.seed, name, pending.index,
               Generator::disassemble(pending.test), difference);
  }

  Options options_;
  Generator generator_;
  const bool amd_;
  EmulatorRunner emulator_;
  std::vector<Pending> batch_;
  std::vector<Outcome> host_;
  Outcome emulated_{};
  u64 total_ = 0, failures_ = 0, empty_rows_ = 0, skipped_ = 0, shown_ = 0, row_failures_ = 0;
};

}  // namespace
}  // namespace reprise::native

int main(int argc, char** argv) {
  reprise::native::Options options;
  CLI::App app("Compares the engine with the host CPU, instruction by instruction.");
  options.add_to(app);
  app.add_option("--case", options.only_case, "only this case of the row");
  app.add_option("--show", options.show, "differences printed in full per row");
  app.add_flag("--exact", options.exact, "also what a row is allowed to differ in");
  app.add_flag("--list", options.list, "print every row");
  CLI11_PARSE(app, argc, argv);
  using reprise::native::Vendor;
  switch (reprise::test::host_vendor()) {
    case reprise::test::HostVendor::Intel: return reprise::native::Oracle(options, Vendor::Intel).run();
    case reprise::test::HostVendor::Amd: return reprise::native::Oracle(options, Vendor::Amd).run();
    case reprise::test::HostVendor::Other: break;
  }
  fmt::print("skipped: the host's processor is neither Intel's nor AMD's\n");
  return 77;
}
