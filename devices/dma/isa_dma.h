// What an ISA device sees of the DMA controllers: the channel it is wired to.
#pragma once

#include <span>

#include "common/types.h"

namespace reprise::devices {

/// How far a channel went with the bytes that a device offered.
struct IsaDmaTransfer {
  u32 bytes = 0;
  bool terminal_count = false;  // the programmed count is used up: TC
};

/// Whoever owns the channels. Machine thread.
class IsaDmaController {
 public:
  virtual ~IsaDmaController() = default;
  /// The device has bytes for memory, or wants bytes from it. Moves as many as the channel lets through,
  /// stopping at the terminal count; none when the channel is masked, disabled or in cascade mode. What does
  /// not come from memory is zeros.
  virtual IsaDmaTransfer dma_to_memory(unsigned channel, std::span<const u8> from) = 0;
  virtual IsaDmaTransfer dma_from_memory(unsigned channel, std::span<u8> into) = 0;
};

/// One channel, as a value: a device gets it as a constructor argument. Without a controller nothing answers.
class IsaDmaChannel {
 public:
  IsaDmaChannel() = default;
  IsaDmaChannel(IsaDmaController& controller, unsigned channel)
      : controller_(&controller), channel_(channel) {}
  IsaDmaTransfer to_memory(std::span<const u8> from) const {
    return controller_ ? controller_->dma_to_memory(channel_, from) : IsaDmaTransfer{};
  }
  IsaDmaTransfer from_memory(std::span<u8> into) const {
    return controller_ ? controller_->dma_from_memory(channel_, into) : IsaDmaTransfer{};
  }

 private:
  IsaDmaController* controller_ = nullptr;
  unsigned channel_ = 0;
};

}  // namespace reprise::devices
