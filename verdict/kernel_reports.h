// KernelReports: finds panics, oopses, warnings and the like in a kernel's log, line by line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/kernel_report_rows.h"

namespace reprise::verdict {

struct KernelReport {
  ReportKind kind;
  std::string title;               // its first line, without the stamp
  std::string at;                  // the instant of that line, as messages name it: "@N"
  std::vector<std::string> lines;  // as printed, the stack among them
  std::vector<std::string> decoded =
      {};  // the same with lines of source behind places, where they are known; empty: none is

  /// What people are shown.
  const std::vector<std::string>& shown() const { return decoded.empty() ? lines : decoded; }
};

class KernelReports {
 public:
  /// A report has so many lines at most: what is behind them is not its stack any more.
  static constexpr std::size_t kMaxLines = 250;
  /// So many reports are kept; the others are counted.
  static constexpr std::size_t kMaxReports = 100;

  /// `at` is the instant at which `line` began.
  void take(std::string_view line, std::string_view at);

  const std::vector<KernelReport>& reports() const { return reports_; }
  u64 count() const { return count_; }

 private:
  void begin(const ReportRow& row, std::string_view line, std::string_view at);

  std::vector<KernelReport> reports_;
  const ReportRow* open_ = nullptr;  // the last report goes on
  bool in_stack_ = false;            // its stack has begun
  bool kept_ = false;                // it is in reports_
  std::size_t lines_ = 0;            // of it
  u64 count_ = 0;
};

}  // namespace reprise::verdict
