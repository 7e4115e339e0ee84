// The --json report: one object about how the run ended.
#pragma once

#include <cstdio>
#include <string>

#include "common/result.h"
#include "frontend/options/run_options.h"
#include "machine/run_result.h"

namespace reprise::frontend {

/// The object as text.
std::string report_text(const RunOptions& options, const machine::RunResult& result);

/// A file about the run: opened before the run, so that a wrong path is known then, and written once at the end.
class ReportFile {
 public:
  ReportFile() = default;
  ~ReportFile() { close(); }
  ReportFile(ReportFile&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  ReportFile& operator=(ReportFile&&) = delete;

  /// `what` it is, for the error. An empty path: nothing is wanted.
  static Result<ReportFile> open(std::string_view what, const std::string& path);
  /// False when the host could not store it.
  bool write(const std::string& text);

 private:
  explicit ReportFile(std::FILE* file) : file_(file) {}
  bool close();

  std::FILE* file_ = nullptr;
};

}  // namespace reprise::frontend
