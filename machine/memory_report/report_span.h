// ReportSpan: a report that begins at a position.
#pragma once

#include <optional>

#include "machine/begins_at.h"
#include "machine/memory_report/memory_report.h"

namespace reprise::machine::memory_report {

/// Thread: the one that runs the machine.
class ReportSpan {
 public:
  /// At `from`, or now if the run is there. `machine` outlives this.
  ReportSpan(Machine& machine, const Position& from)
      : machine_(machine), begins_(machine, from, [this] { report_.emplace(machine_); }) {}

  /// It ends now, or begins and ends if the run did not get there.
  const MemoryReport& finish() {
    if (!report_) report_.emplace(machine_);
    report_->finish();
    return *report_;
  }

 private:
  Machine& machine_;
  std::optional<MemoryReport> report_;
  BeginsAt begins_;
};

}  // namespace reprise::machine::memory_report
