// The generation id of a virtual machine: a number in memory that is another one when the machine goes on as a copy of what it was,
// so that a guest makes new random numbers and unique names. "Virtual Machine Generation ID" (Microsoft, 2018), laid out as
// QEMU's: the number is at offset 40 of its page, which ACPI names, and an event tells of the change.
#pragma once

#include <array>

#include "devices/device.h"

namespace reprise::devices {

class GenerationId final : public Device, public MmioHandler {
 public:
  static constexpr u64 kIdOffset = 40;
  using Id = std::array<u8, 16>;

  explicit GenerationId(const Id& id) : own_(id), id_(id) {}

  /// A state was loaded of a machine that was another one: from now on it is this one. Whether the number changed.
  bool renew() {
    const bool changed = id_ != own_;
    id_ = own_;
    return changed;
  }
  const Id& id() const { return id_; }

  std::string_view name() const override { return "generation_id"; }
  void reset(ResetKind) override {}
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64, Width, u64) override {}

 private:
  const Id own_;
  Id id_;
};

}  // namespace reprise::devices
