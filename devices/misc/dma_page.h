// DMA page registers, ports 80h-8Fh: port 80h shows POST codes and serves as an I/O delay. 82371AB datasheet 4.2.1.
// Plain memory: nothing here does ISA DMA.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes ports 80h-8Fh, byte wide. Port 92h is not among them.
class DmaPage final : public Device, public PioHandler {
 public:
  static constexpr u32 kPorts = 16;

  std::string_view name() const override { return "dma_page"; }
  void reset(ResetKind) override { registers_ = {}; }
  void serialize(Archive& archive) override {
    archive.tag("dma_page");
    archive.value(registers_);
  }
  /// The last POST code.
  u8 post_code() const { return registers_[0]; }
  u32 pio_read(u16 offset, Width) override { return registers_[offset % kPorts]; }
  void pio_write(u16 offset, Width, u32 value) override { registers_[offset % kPorts] = static_cast<u8>(value); }

 private:
  std::array<u8, kPorts> registers_{};
};

}  // namespace reprise::devices
