// TracedMmio: stands between the address map and a device and logs every access, for --trace mmio.
#pragma once

#include <string>

#include "common/log.h"
#include "common/ports.h"
#include "machine/clock/scheduler.h"

namespace reprise::machine {

class TracedMmio final : public MmioHandler {
 public:
  TracedMmio(std::string name, MmioHandler& device, const RetiredCounter& counter, const Log& log)
      : name_(std::move(name)), device_(device), counter_(counter), log_(log) {}

  u64 mmio_read(u64 offset, Width width) override {
    const u64 value = device_.mmio_read(offset, width);
    log_.write("mmio", LogLevel::Trace, "{} {} read  {:03x}.{} = {:x}", counter_.retired_now(), name_, offset,
               width_bytes(width), value);
    return value;
  }
  void mmio_write(u64 offset, Width width, u64 value) override {
    log_.write("mmio", LogLevel::Trace, "{} {} write {:03x}.{} = {:x}", counter_.retired_now(), name_, offset,
               width_bytes(width), value);
    device_.mmio_write(offset, width, value);
  }

 private:
  std::string name_;
  MmioHandler& device_;
  const RetiredCounter& counter_;
  const Log& log_;
};

}  // namespace reprise::machine
