// A port that ends the run: writing v exits with code (v << 1) | 1. The convention of QEMU's isa-debug-exit.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes one to four ports, up to dword wide (F4h or 501h by custom). Reads give zero.
class DebugExit final : public Device, public PioHandler {
 public:
  explicit DebugExit(MachineControl& control) : control_(control) {}

  std::string_view name() const override { return "debug_exit"; }
  void reset(ResetKind) override {}
  void serialize(Archive& archive) override { archive.tag("debug_exit"); }
  u32 pio_read(u16, Width) override { return 0; }
  void pio_write(u16, Width, u32 value) override {
    control_.request(MachineRequest::DebugExit, static_cast<int>(value << 1 | 1));
  }

 private:
  MachineControl& control_;
};

}  // namespace reprise::devices
