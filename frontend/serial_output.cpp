#include "frontend/serial_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace reprise::frontend {
namespace {

/// Bytes go out as they come: what the guest said before a crash is there. A reader that went away is not our
/// failure.
class DescriptorOutput final : public devices::CharBackend {
 public:
  enum class Owned : u8 { No, Yes };
  DescriptorOutput(int descriptor, Owned owned) : descriptor_(descriptor), owned_(owned) {}
  ~DescriptorOutput() override {
    if (owned_ == Owned::Yes) close(descriptor_);
  }
  DescriptorOutput(const DescriptorOutput&) = delete;
  DescriptorOutput& operator=(const DescriptorOutput&) = delete;

  void write(std::span<const u8> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

 private:
  int descriptor_;
  Owned owned_;
};

class NullOutput final : public devices::CharBackend {
 public:
  void write(std::span<const u8>) override {}
};

}  // namespace

Result<std::unique_ptr<devices::CharBackend>> open_serial_output(const SerialTarget& target) {
  using Output = std::unique_ptr<devices::CharBackend>;
  switch (target.kind) {
    case SerialTarget::Kind::Null: return Output(std::make_unique<NullOutput>());
    case SerialTarget::Kind::Stdio:
      return Output(std::make_unique<DescriptorOutput>(STDOUT_FILENO, DescriptorOutput::Owned::No));
    case SerialTarget::Kind::File: break;
  }
  const int descriptor = open(target.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return Error{fmt::format("serial file '{}' cannot be written: {}.", target.path, std::strerror(errno))};
  }
  return Output(std::make_unique<DescriptorOutput>(descriptor, DescriptorOutput::Owned::Yes));
}

}  // namespace reprise::frontend
