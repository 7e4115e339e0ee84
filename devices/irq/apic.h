// What LAPICs, IOAPICs and MSI sources say to each other. SDM 3A chapter 10; 82093AA datasheet, section 3.2.4.
#pragma once

#include <optional>

#include "common/types.h"

namespace reprise::devices {

/// Bits 10:8 of ICR, LVT and redirection entries.
enum class DeliveryMode : u8 { Fixed, LowestPriority, Smi, RemoteRead, Nmi, Init, StartUp, ExtInt };
enum class DestinationMode : u8 { Physical, Logical };
enum class TriggerMode : u8 { Edge, Level };

/// What a processor takes even while RFLAGS.IF = 0.
constexpr bool is_unmaskable(DeliveryMode mode) {
  return mode == DeliveryMode::Smi || mode == DeliveryMode::Nmi || mode == DeliveryMode::Init;
}

/// Whether a write of `data` to `phys` by a device is a message of that kind. SDM 3A 10.11.
constexpr bool is_unmaskable_message(u64 phys, u32 data) {
  constexpr u64 kMessageArea = 0xfee;
  return phys >> 20 == kMessageArea && is_unmaskable(static_cast<DeliveryMode>(data >> 8 & 7));
}

/// Reaches every LAPIC, in both destination modes.
inline constexpr u32 kApicBroadcast = 0xffff'ffff;

/// The destination field of xAPIC ICRs, IOAPIC entries and MSI addresses, where FFh is the broadcast.
constexpr u32 widen_apic_destination(u8 destination) {
  return destination == 0xff ? kApicBroadcast : destination;
}

struct ApicMessage {
  u32 destination = 0;
  DestinationMode destination_mode = DestinationMode::Physical;
  DeliveryMode delivery_mode = DeliveryMode::Fixed;
  TriggerMode trigger_mode = TriggerMode::Edge;
  u8 vector = 0;
};

/// The system bus for interrupt messages: what IOAPICs and MSI sources talk to.
class ApicMessageSink {
 public:
  virtual ~ApicMessageSink() = default;
  virtual void deliver(const ApicMessage& message) = 0;
};

/// An IOAPIC as LAPICs see it.
class EoiSink {
 public:
  virtual ~EoiSink() = default;
  virtual void end_of_interrupt(u8 vector) = 0;
};

/// The system bus as a LAPIC sees it.
class ApicFabric {
 public:
  virtual ~ApicFabric() = default;
  /// To every LAPIC that `message` names, except the one with APIC id `excluded`.
  virtual void send_ipi(const ApicMessage& message, std::optional<u32> excluded) = 0;
  virtual void broadcast_eoi(u8 vector) = 0;
};

/// The 8259 pair as a LAPIC sees it.
class ExtIntSource {
 public:
  virtual ~ExtIntSource() = default;
  /// The INTA cycle: the vector of the highest request, or the spurious vector of IR7.
  virtual u8 acknowledge_ext_int() = 0;
};

/// The processor core behind a LAPIC. Each call records the event; the core acts on it after the current instruction.
class ApicCpu {
 public:
  virtual ~ApicCpu() = default;
  virtual void nmi() = 0;
  virtual void smi() = 0;
  virtual void init() = 0;
  /// Start at real-mode address vector << 12, if waiting for a start-up message.
  virtual void start_up(u8 vector) = 0;
  /// An interrupt that it would take waits where none did before (InterruptSource::interrupt_pending).
  virtual void interrupt() {}
  /// IA32_APIC_BASE changed: the register page is at `phys` and answers only while `mmio_enabled`.
  virtual void apic_base_changed(u64 phys, bool mmio_enabled) = 0;
};

}  // namespace reprise::devices
