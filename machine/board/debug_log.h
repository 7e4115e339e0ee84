// DebugLog: sends each line that the guest prints to a debug port to the log.
#pragma once

#include <string>

#include "common/archive.h"
#include "common/log.h"
#include "devices/backend.h"

namespace reprise::machine {

class DebugLog final : public devices::CharBackend {
 public:
  /// `log` outlives it.
  explicit DebugLog(const Log& log) : log_(log) {}
  void write(std::span<const u8> bytes) override;

  /// SeaBIOS or OVMF said so there.
  bool found_nothing_to_boot() const { return found_nothing_to_boot_; }
  /// How often SeaBIOS said there that it boots from something, since the machine was made. Not part of the state: it only
  /// bounds a run.
  u64 boot_attempts() const { return boot_attempts_; }
  void set_boot_attempts(u64 attempts) { boot_attempts_ = attempts; }
  void reset() { found_nothing_to_boot_ = false; }
  void serialize(Archive& archive);

 private:
  static constexpr std::size_t kMaxLine = 4096;

  const Log& log_;
  std::string line_;
  bool found_nothing_to_boot_ = false;
  u64 boot_attempts_ = 0;
};

}  // namespace reprise::machine
