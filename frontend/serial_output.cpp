#include "frontend/serial_output.h"

#include <fmt/format.h>

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

class TwoOutputs final : public devices::CharBackend {
 public:
  TwoOutputs(devices::CharBackend& first, devices::CharBackend& second) : first_(first), second_(second) {}
  void write(std::span<const u8> bytes) override {
    first_.write(bytes);
    second_.write(bytes);
  }

 private:
  devices::CharBackend& first_;
  devices::CharBackend& second_;
};

}  // namespace

devices::CharBackend& SerialOutput::with_log(devices::CharBackend& end) {
  if (log == nullptr) return end;
  both = std::make_unique<TwoOutputs>(end, *log);
  return *both;
}

Result<SerialOutput> open_serial_output(const SerialTarget& target, StandardOutputs& outputs,
                                        OutputOpener& opener) {
  SerialOutput opened;
  if (!target.log_path.empty()) {
    machine::HostFd file =
        TRY(opener.open("serial log", target.log_path,
                        target.log_goes_on ? OutputOpener::Content::Stays : OutputOpener::Content::Goes));
    opened.log = std::make_unique<Output>(fmt::format("serial log '{}'", target.log_path), std::move(file),
                                          outputs.losses);
  }
  switch (target.kind) {
    case SerialTarget::Kind::Null: opened.backend = std::make_unique<NullOutput>(); return opened;
    case SerialTarget::Kind::Stdio:
      opened.backend = std::make_unique<StandardOutput>(outputs.out);
      return opened;
    case SerialTarget::Kind::Pty:
    case SerialTarget::Kind::Pipe:
    case SerialTarget::Kind::Socket: {
      auto line = TRY(CharacterLine::open(target, "serial port", opener));
      opened.line = line.get();
      opened.backend = std::move(line);
      return opened;
    }
    case SerialTarget::Kind::File: break;
  }
  machine::HostFd file = TRY(opener.open("serial file", target.path));
  auto output =
      std::make_unique<Output>(fmt::format("serial file '{}'", target.path), std::move(file), outputs.losses);
  opened.file = output.get();
  opened.backend = std::move(output);
  return opened;
}

}  // namespace reprise::frontend
