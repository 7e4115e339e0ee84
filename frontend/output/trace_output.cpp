#include "frontend/output/trace_output.h"

#include <fmt/format.h>

#include "frontend/terminal.h"

namespace reprise::frontend {

Result<std::unique_ptr<TraceOutput>> TraceOutput::open(const std::string& path, StandardOutputs& outputs,
                                                       OutputOpener& opener) {
  if (path.empty() || path == "-")
    return std::unique_ptr<TraceOutput>(new TraceOutput(path.empty() ? outputs.err : outputs.out));
  machine::HostFd file = TRY(opener.open("trace", path));
  return std::unique_ptr<TraceOutput>(new TraceOutput(
      std::make_unique<Output>(fmt::format("trace '{}'", path), std::move(file), outputs.losses)));
}

void TraceOutput::line(std::string_view text) {
  if (standard_ != nullptr) return standard_->write(fmt::format("{}{}", text, Terminal::line_end()));
  buffer_ += text;
  buffer_ += '\n';
  if (buffer_.size() >= kBufferBytes) pause();
}

void TraceOutput::pause() {
  if (buffer_.empty()) return;
  file_->write(std::string_view(buffer_));
  buffer_.clear();
}

}  // namespace reprise::frontend
