// TracedMmio: stands between the address map and a device and tells of every access.
#pragma once

#include <string>

#include "machine/board/access_trace.h"

namespace reprise::machine {

class TracedMmio final : public MmioHandler {
 public:
  TracedMmio(std::string name, MmioHandler& device, AccessTrace& trace)
      : name_(std::move(name)), device_(device), trace_(trace) {}

  u64 mmio_read(u64 offset, Width width) override {
    const u64 value = device_.mmio_read(offset, width);
    trace_.mmio_accessed(AccessKind::Read, name_, offset, width, value);
    return value;
  }
  void mmio_write(u64 offset, Width width, u64 value) override {
    trace_.mmio_accessed(AccessKind::Write, name_, offset, width, value);
    device_.mmio_write(offset, width, value);
  }

 private:
  std::string name_;
  MmioHandler& device_;
  AccessTrace& trace_;
};

}  // namespace reprise::machine
