#include "frontend/serial_output.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace reprise::frontend {
namespace {

class NullOutput final : public devices::CharBackend {
 public:
  void write(std::span<const u8>) override {}
};

/// Bytes go out as they come: what the guest said before a crash is there.
class StandardOutput final : public devices::CharBackend {
 public:
  explicit StandardOutput(Output& out) : out_(out) {}
  void write(std::span<const u8> bytes) override { out_.write(bytes); }

 private:
  Output& out_;
};

}  // namespace

Result<SerialOutput> open_serial_output(const SerialTarget& target, StandardOutputs& outputs) {
  SerialOutput opened;
  switch (target.kind) {
    case SerialTarget::Kind::Null: opened.backend = std::make_unique<NullOutput>(); return opened;
    case SerialTarget::Kind::Stdio:
      opened.backend = std::make_unique<StandardOutput>(outputs.out);
      return opened;
    case SerialTarget::Kind::File: break;
  }
  machine::HostFd file(open(target.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file)
    return Error{fmt::format("serial file '{}' cannot be written: {}.", target.path, std::strerror(errno))};
  auto output =
      std::make_unique<Output>(fmt::format("serial file '{}'", target.path), std::move(file), outputs.losses);
  opened.file = output.get();
  opened.backend = std::move(output);
  return opened;
}

}  // namespace reprise::frontend
