// Console: the terminal that the guest's serial port and the monitor's prompt share.
// While the prompt has it, what the guest says is held back, and shown when the prompt gives it up; if it
// becomes much, it is shown above the prompt. Nothing is lost.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "devices/backend.h"

namespace reprise::frontend {

class Console final : public devices::CharBackend {
 public:
  using Write = std::function<void(std::string_view)>;
  /// How much is held back.
  static constexpr std::size_t kMaxHeldBytes = 1 << 20;

  /// `write` puts bytes on the terminal; called under a lock, on whatever thread has something to say.
  explicit Console(Write write) : write_(std::move(write)) {}
  ~Console() override { leave_prompt(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Output of the guest. Machine thread.
  void write(std::span<const u8> bytes) override;

  // --- Any one other thread ---
  void enter_prompt();
  /// Shows what was held back.
  void leave_prompt();
  /// Shows `text`, of the prompt. `prompt_line` is what stands on the cursor's line after it: shown again if
  /// output of the guest comes between.
  void show(std::string_view text, std::string prompt_line);

 private:
  const Write write_;
  std::mutex mutex_;
  bool at_prompt_ = false;  // all under mutex_
  std::string held_;
  std::string prompt_line_;
};

}  // namespace reprise::frontend
