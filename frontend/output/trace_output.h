// Lines of a trace: on a terminal or stderr as they come, in a file many at a time.
#pragma once

#include <memory>

#include "common/result.h"
#include "frontend/output/open_output.h"
#include "frontend/output/standard_descriptors.h"
#include "machine/observe/tracer.h"

namespace reprise::frontend {

class TraceOutput final : public machine::TraceSink {
 public:
  /// Empty `path`: stderr; "-": standard output. `outputs` outlives this.
  static Result<std::unique_ptr<TraceOutput>> open(const std::string& path, StandardOutputs& outputs,
                                                   OutputOpener& opener);

  void line(std::string_view text) override;
  void pause() override;

  /// nullptr: it is one of the standard outputs.
  Output* file() { return file_.get(); }

 private:
  explicit TraceOutput(Output& standard) : standard_(&standard) {}
  explicit TraceOutput(std::unique_ptr<Output> file) : file_(std::move(file)) {}

  static constexpr std::size_t kBufferBytes = 65536;

  Output* standard_ = nullptr;
  std::unique_ptr<Output> file_;
  std::string buffer_;  // for the file
};

}  // namespace reprise::frontend
