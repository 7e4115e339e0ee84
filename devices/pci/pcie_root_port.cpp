#include "devices/pci/pcie_root_port.h"

#include <fmt/format.h>

namespace reprise::devices {
namespace {

constexpr u16 kVendorRedHat = 0x1b36, kRootPort = 0x000c;  // QEMU's, whose drivers know it
constexpr u8 kSubsystemCapability = 0x0d, kExpressCapability = 0x10;

// The PCI Express capability, 7.8: offsets of its registers.
constexpr unsigned kFlags = 0x02, kDeviceCaps = 0x04, kDeviceControl = 0x08, kDeviceStatus = 0x0a,
                   kLinkCaps = 0x0c, kLinkControl = 0x10, kLinkStatus = 0x12, kSlotCaps = 0x14,
                   kSlotControl = 0x18, kSlotStatus = 0x1a, kRootControl = 0x1c, kLinkCaps2 = 0x2c,
                   kLinkControl2 = 0x30, kExpressBytes = 0x3c;

constexpr u16 kVersion2 = 2, kTypeRootPort = 4u << 4, kSlotImplemented = 1u << 8;
constexpr u32 kRoleBasedErrors = 1u << 15;
constexpr u32 kSpeed16 = 4, kWidth32 = 32u << 4, kReportsLinkActive = 1u << 20;
constexpr u32 kSpeeds2To16 = 0x1e;
constexpr u16 kLinkOfCard = 1 | 1u << 4;  // 2.5 GT/s, one lane
constexpr u16 kLinkActive = 1u << 13;

// 7.8.9 to 7.8.11.
constexpr u32 kHasButton = 1u << 0, kHasPower = 1u << 1, kHasIndicators = 3u << 3, kSurprise = 1u << 5,
              kHotPlug = 1u << 6;
constexpr unsigned kSlotNumberBit = 19;
constexpr u16 kControlWritable = 0x17f9;
constexpr u16 kInterruptEnable = 1u << 5;
constexpr u16 kAttentionOff = 3u << 6;
constexpr u16 kIndicatorMask = 3u << 8, kIndicatorOn = 1u << 8, kIndicatorOff = 3u << 8;
constexpr u16 kPowerOff = 1u << 10;
// Events of the status; those below 20h have their enable bits at the same places.
constexpr u16 kButtonPressed = 1u << 0, kPresenceChanged = 1u << 3, kCommandCompleted = 1u << 4,
              kLinkChanged = 1u << 8;
constexpr u16 kEvents = 0x11f;
constexpr u16 kLinkChangedEnable = 1u << 12;
constexpr u16 kPresent = 1u << 6;

bool touches(u8 offset, Width width, unsigned at, unsigned bytes) {
  return offset < at + bytes && at < offset + width_bytes(width);
}

}  // namespace

PcieRootPort::PcieRootPort(const Setup& setup, MsiSink& messages, IrqLine interrupt)
    : PciBridge({.vendor = kVendorRedHat,
                 .device = kRootPort,
                 .class_code = 0x060400,
                 .multi_function = setup.multi_function}),
      setup_(setup),
      interrupt_(interrupt),
      msix_(1, messages) {
  define_memory_bar(0, Msix::kBarBytes, msix_);
  define8(pci::kInterruptPin, 1);
  const u8 subsystem = add_capability(kSubsystemCapability, 6);
  define32(subsystem + 4u, kVendorRedHat);
  msix_capability_ = add_capability(Msix::kCapabilityId, Msix::kCapabilityBodyBytes);
  define16(msix_capability_ + 2u, msix_.reset_control(), Msix::kControlWritable);
  define32(msix_capability_ + 4u, 0);
  define32(msix_capability_ + 8u, Msix::kPendingOffset);
  define_express();
  apply_reset_values();
  reset(ResetKind::PowerOn);
}

void PcieRootPort::define_express() {
  express_ = add_capability(kExpressCapability, kExpressBytes - 2);
  define16(express(kFlags), kVersion2 | kTypeRootPort | kSlotImplemented);
  define32(express(kDeviceCaps), kRoleBasedErrors);
  define16(express(kDeviceControl), 0, 0x000f);
  define16(express(kDeviceStatus), 0);
  write_one_to_clear16(express(kDeviceStatus), 0x000f);
  define32(express(kLinkCaps), kSpeed16 | kWidth32 | kReportsLinkActive | u32{setup_.port} << 24);
  define16(express(kLinkControl), 0, 0x00c0);
  define16(express(kLinkStatus), kLinkOfCard);
  u32 slot = u32{setup_.slot} << kSlotNumberBit;
  if (setup_.hotplug) {
    slot |= kHasButton | kHasPower | kHasIndicators | kSurprise | kHotPlug;
    define16(express(kSlotControl), 0, kControlWritable);
    write_one_to_clear16(express(kSlotStatus), kEvents);
  }
  define32(express(kSlotCaps), slot);
  define16(express(kRootControl), 0, 0x000f);
  define32(express(kLinkCaps2), kSpeeds2To16);
  define16(express(kLinkControl2), kSpeed16, 0x000f);
}

void PcieRootPort::set_word(unsigned offset, u16 value) {
  set_byte(offset, static_cast<u8>(value));
  set_byte(offset + 1, static_cast<u8>(value >> 8));
}

bool PcieRootPort::power_is_off() const {
  return setup_.hotplug && (word(express(kSlotControl)) & kPowerOff) != 0;
}

bool PcieRootPort::slot_is_off() const {
  return power_is_off() && (word(express(kSlotControl)) & kIndicatorMask) == kIndicatorOff;
}

void PcieRootPort::reset(ResetKind kind) {
  notified_ = asked_ = released_ = false;
  interrupt_.set(false);
  msix_.reset();
  PciFunction::reset(kind);
  if (setup_.hotplug)
    set_word(express(kSlotControl),
             static_cast<u16>(kAttentionOff | (has_card() ? kIndicatorOn : kIndicatorOff | kPowerOff)));
  update_link();
  // What has been there from the beginning is no event.
  set_word(express(kSlotStatus), static_cast<u16>(word(express(kSlotStatus)) & ~kEvents));
}

void PcieRootPort::raise(u16 events) {
  if (!setup_.hotplug) return;
  set_word(express(kSlotStatus), static_cast<u16>(word(express(kSlotStatus)) | events));
  update_irq();
}

void PcieRootPort::update_link() {
  const u16 before = word(express(kLinkStatus));
  const u16 link = kLinkOfCard | (link_is_up() ? kLinkActive : u16{0});
  set_word(express(kLinkStatus), link);
  const u16 status = static_cast<u16>(word(express(kSlotStatus)) & ~kPresent);
  set_word(express(kSlotStatus), has_card() ? status | kPresent : status);
  if (link == before) return;
  raise(kLinkChanged);
  tell_secondary();
}

void PcieRootPort::card_came() {
  asked_ = released_ = false;
  update_link();
  // Drivers of a slot with a button listen to nothing else.
  raise(kPresenceChanged | kButtonPressed);
}

void PcieRootPort::card_gone() {
  asked_ = released_ = false;
  update_link();
  raise(kPresenceChanged);
}

bool PcieRootPort::press_button() {
  if (slot_is_off()) return true;
  asked_ = true;
  raise(kButtonPressed);
  return false;
}

void PcieRootPort::update_irq() {
  const u16 control = word(express(kSlotControl)), status = word(express(kSlotStatus));
  const bool event =
      (status & control & 0x1f) != 0 || ((status & kLinkChanged) != 0 && (control & kLinkChangedEnable) != 0);
  const bool wanted = event && (control & kInterruptEnable) != 0;
  const bool by_pin = wanted && !msix_.enabled();
  const u8 own = static_cast<u8>(word(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, by_pin ? own | pci::kStatusInterrupt : own);
  interrupt_.set(by_pin && !(word(pci::kCommand) & pci::kCommandInterruptDisable));
  if (wanted && !notified_) msix_.raise(0);
  notified_ = wanted;
}

void PcieRootPort::config_changed(ConfigChange) {
  msix_.set_control(word(msix_capability_ + 2u), bus_master());
  update_irq();
}

ConfigChange PcieRootPort::config_write(u8 offset, Width width, u32 value) {
  const bool was_off = slot_is_off(), power_was_off = power_is_off();
  const ConfigChange change = PciBridge::config_write(offset, width, value);
  if (!setup_.hotplug || !touches(offset, width, express(kSlotControl), 2)) return change;
  if (power_is_off() && !power_was_off) reset_secondary(ResetKind::PowerOn);
  update_link();
  if (slot_is_off() && !was_off && has_card()) released_ = true;
  raise(kCommandCompleted);
  return change;
}

void PcieRootPort::serialize(Archive& archive) {
  PciBridge::serialize(archive);
  archive.tag("pcie root port");
  msix_.serialize(archive);
  archive.value(notified_);
  archive.value(asked_);
  archive.value(released_);
}

std::string PcieRootPort::debug_dump() const {
  return fmt::format("card={} control={:04x} status={:04x} {}", has_card(), word(express(kSlotControl)),
                     word(express(kSlotStatus)), msix_.debug_dump());
}

}  // namespace reprise::devices
