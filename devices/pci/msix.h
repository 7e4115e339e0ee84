// MSI-X: one message per vector, from a table behind a memory BAR. PCI 3.0, 6.8.2.
//
//     offset 0        table: 16 bytes per vector: address low, address high, data,
//                     vector control (bit 0: masked)
//     offset 800h     pending bits, read-only
//
// The card puts the capability's registers into its configuration space and tells of writes to message
// control.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

/// As MmioHandler it takes kBarBytes. Vectors stay below kMaxVectors.
class Msix final : public MmioHandler {
 public:
  static constexpr unsigned kMaxVectors = 64;
  static constexpr u64 kBarBytes = 4096;
  static constexpr u32 kPendingOffset = 0x800;

  static constexpr u8 kCapabilityId = 0x11;
  /// Registers behind the two-byte header: message control, table, pending bits.
  static constexpr unsigned kCapabilityBodyBytes = 10;
  static constexpr u16 kControlEnable = 1u << 15;
  static constexpr u16 kControlFunctionMask = 1u << 14;
  static constexpr u16 kControlWritable = kControlEnable | kControlFunctionMask;

  Msix(unsigned vectors, MsiSink& sink);

  unsigned vectors() const { return static_cast<unsigned>(table_.size()); }
  /// What message control reads as after a reset.
  u16 reset_control() const { return static_cast<u16>(vectors() - 1); }
  bool enabled() const { return (control_ & kControlEnable) != 0; }

  /// Message control now holds `control`, and the function may (not) master the bus.
  void set_control(u16 control, bool bus_master);
  /// Would a vector be sent, now, as an SMI, NMI or INIT?
  bool may_send_unmaskable() const;
  /// The function wants `vector` sent: at once, or when it is unmasked. Vectors that are not there are
  /// dropped.
  void raise(unsigned vector);

  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  struct Entry {
    std::array<u32, 4> words{};  // address low, address high, data, vector control
  };
  static constexpr u32 kMasked = 1;  // vector control

  u32 read_dword(u64 offset) const;
  bool may_send(unsigned vector) const;
  void send_pending();

  MsiSink& sink_;
  std::vector<Entry> table_;
  u64 pending_ = 0;  // bit n: vector n
  u16 control_ = 0;
  bool bus_master_ = false;
};

}  // namespace reprise::devices
