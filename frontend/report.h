// The --json report: one object about how the run ended.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/losses.h"
#include "common/result.h"
#include "frontend/options/run_options.h"
#include "frontend/output/open_output.h"
#include "frontend/output/patient_writer.h"
#include "machine/run_result.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

/// The object as text. `lost` is what the host did not take of other outputs.
std::string report_text(const RunOptions& options, const machine::RunResult& result,
                        const std::vector<Loss>& lost);
/// Only how the run ended, in a few hundred bytes: there is room for it where the whole has none.
std::string short_report_text(const machine::RunResult& result, const std::vector<Loss>& lost);
/// Only the reason and the code.
std::string shortest_report_text(const machine::RunResult& result);
/// What the file says while the run goes on, and for ever if the process is killed.
std::string unfinished_report_text();

/// A file about the run: opened before the run, so that a wrong path is known then, and written at the end.
class ReportFile {
 public:
  ReportFile() = default;
  /// `what` it is, for the error. An empty path: nothing is wanted.
  static Result<ReportFile> open(std::string_view what, const std::string& path, OutputOpener& opener);
  /// What stands in the file until write(). Nothing where it could not be taken back: a pipe.
  void write_for_now(std::string_view text);
  /// While `wanted` says true, a reader of what is no file that takes nothing is not waited for any longer.
  void give_up_when(std::function<bool()> wanted) { reader_.give_up_when(std::move(wanted)); }
  /// The content: the first of `texts` for which there is room, or nothing. An error says why the host could not store the
  /// first.
  Result<Done> write(std::span<const std::string> texts);

  /// -1: there is none.
  int descriptor() const { return file_.get(); }
  bool regular() const { return regular_; }

 private:
  explicit ReportFile(machine::HostFd file);

  /// Why not all of it could be stored; nothing: it was.
  std::optional<std::string> put(std::string_view text);
  void empty();

  machine::HostFd file_;
  PatientWriter reader_{-1};  // of what is no regular file
  bool regular_ = false;
  bool spoilt_ = false;  // it is no file, and took a part
};

}  // namespace reprise::frontend
