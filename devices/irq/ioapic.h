// I/O APIC: Intel 82093AA datasheet (290566-001), with the EOI register of version 20h parts (ICH, "IOxAPIC").
// Line levels are logical (true = asserted), so the polarity bit is stored but changes nothing.
// Delivery status always reads idle. The 3-wire APIC bus and its arbitration do not exist.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/irq/apic.h"

namespace reprise::devices {

/// As IrqSink it takes pins 0 to 23. The register page is usually at FEC00000h.
class IoApic final : public Device, public MmioHandler, public IrqSink, public EoiSink {
 public:
  static constexpr unsigned kPins = 24;

  explicit IoApic(ApicMessageSink& bus) : bus_(bus) { reset(ResetKind::PowerOn); }

  std::string_view name() const override { return "ioapic"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;
  void set_irq(unsigned line, bool level) override;
  void end_of_interrupt(u8 vector) override;

  /// Could a pin send what a processor takes even while it masks interrupts: SMI, NMI, INIT?
  bool may_send_unmaskable() const;

 private:
  u32 read_register() const;
  void write_register(u32 value);
  void write_entry(unsigned pin, u64 entry);
  /// Sends a level interrupt if the pin is asserted, unmasked, and not waiting for its EOI.
  void update_level(unsigned pin);
  void send(unsigned pin);

  ApicMessageSink& bus_;
  std::array<u64, kPins> entries_{};
  u32 lines_ = 0;
  u8 select_ = 0;
  u8 id_ = 0;
};

}  // namespace reprise::devices
