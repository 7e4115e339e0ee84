#include "frontend/output/output.h"

namespace reprise::frontend {

Output::Output(std::string name, int descriptor, Losses& losses)
    : name_(std::move(name)), losses_(losses), writer_(descriptor) {}

Output::Output(std::string name, machine::HostFd file, Losses& losses)
    : Output(std::move(name), file.get(), losses) {
  owned_ = std::move(file);
}

Output::~Output() {
  // Some file systems say only now that there was no room.
  if (const int error = owned_.close(); error != 0) losses_.add(name_, machine::why_not_written(error), 0);
}

void Output::put(std::span<const u8> bytes, Counted counted) {
  const std::lock_guard lock(mutex_);
  const auto why = writer_.write(bytes);
  if (why && counted == Counted::Yes) losses_.add(name_, *why, bytes.size());
}

}  // namespace reprise::frontend
