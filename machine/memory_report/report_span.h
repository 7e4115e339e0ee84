// ReportSpan: a report that begins at a position.
#pragma once

#include <algorithm>
#include <optional>

#include "machine/memory_report/memory_report.h"

namespace reprise::machine::memory_report {

/// Thread: the one that runs the machine.
class ReportSpan final : private TurnObserver {
 public:
  /// When `from` instructions have retired, or now if they have. `machine` outlives this.
  ReportSpan(Machine& machine, u64 from) : machine_(machine), from_(from) {
    machine_.observe(this);
    between_turns();
  }
  ~ReportSpan() override {
    if (!report_) machine_.observe(nullptr);
  }
  ReportSpan(const ReportSpan&) = delete;
  ReportSpan& operator=(const ReportSpan&) = delete;

  /// It ends now, or begins and ends if the run did not get there.
  const MemoryReport& finish() {
    if (!report_) report_.emplace(machine_);
    report_->finish();
    return *report_;
  }

 private:
  u64 budget(u64 limit) override { return std::clamp<u64>(from_ - machine_.retired(), 1, limit); }
  void between_turns() override {
    if (machine_.retired() >= from_) report_.emplace(machine_);
  }

  Machine& machine_;
  const u64 from_;
  std::optional<MemoryReport> report_;
};

}  // namespace reprise::machine::memory_report
