// DebugLog: sends each line that the guest prints to a debug port to the log.
#pragma once

#include <string>

#include "common/log.h"
#include "devices/backend.h"

namespace reprise::machine {

class DebugLog final : public devices::CharBackend {
 public:
  /// `log` outlives it.
  explicit DebugLog(const Log& log) : log_(log) {}
  void write(std::span<const u8> bytes) override;

 private:
  const Log& log_;
  std::string line_;
};

}  // namespace reprise::machine
