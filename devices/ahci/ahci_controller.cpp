#include "devices/ahci/ahci_controller.h"

#include <fmt/format.h>

#include "common/bits.h"
#include "devices/irq/apic.h"

namespace reprise::devices::ahci {
namespace {

constexpr u32 kClassAhci = 0x010601;

// CAP: 64-bit addresses, queuing, command list override, 6 Gb/s, AHCI only; 32 slots.
constexpr u32 kCapabilities = 1u << 31 | 1u << 30 | 1u << 24 | 3u << 20 | 1u << 18 |
                              (AhciPort::kSlots - 1) << 8 | (AhciController::kPorts - 1);
constexpr u32 kVersion = 0x0001'0300;
constexpr u32 kImplemented = (1u << AhciController::kPorts) - 1;

constexpr u32 kGhcReset = 1u << 0;
constexpr u32 kGhcInterrupts = 1u << 1;
constexpr u32 kGhcAhci = 1u << 31;

// MSI capability, PCI 3.0 6.8.1: control, address, upper address, data.
constexpr u8 kMsiCapability = 0x05;
constexpr unsigned kMsiControl = 2, kMsiAddress = 4, kMsiUpperAddress = 8, kMsiData = 12;
constexpr unsigned kMsiBodyBytes = 12;
constexpr u16 kMsiEnable = 1u << 0;
constexpr u16 kMsi64Bit = 1u << 7;

}  // namespace

AhciController::AhciController(Clock& clock, IrqLine interrupt, MsiSink& msi, DmaPort& memory, Units units)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x2922,
                   .revision = 2,
                   .class_code = kClassAhci,
                   .subsystem_vendor = 0x8086,
                   .subsystem = 0x2922}),
      interrupt_(interrupt),
      msi_(msi),
      dma_(*this, memory) {
  for (unsigned i = 0; i < kPorts; ++i)
    ports_[i] = std::make_unique<AhciPort>(
        i, clock, dma_, [this] { update_irq(); }, std::move(units[i]));
  define_memory_bar(kBar, kBytes, *this);
  define16(pci::kCommand, 0, pci::kCommandMemory | pci::kCommandBusMaster | pci::kCommandInterruptDisable);
  define8(pci::kInterruptPin, 1);
  msi_capability_ = add_capability(kMsiCapability, kMsiBodyBytes);
  define16(msi_capability_ + kMsiControl, kMsi64Bit, kMsiEnable);
  define32(msi_capability_ + kMsiAddress, 0, ~u32{3});
  define32(msi_capability_ + kMsiUpperAddress, 0, ~u32{0});
  define16(msi_capability_ + kMsiData, 0, 0xffff);
  apply_reset_values();
  reset_adapter();
}

void AhciController::reset_adapter() {
  ghc_ = kGhcAhci;
  is_ = 0;
  for (const auto& port : ports_) port->reset();
  update_irq();
}

void AhciController::reset(ResetKind kind) {
  PciFunction::reset(kind);
  reset_adapter();
}

void AhciController::config_changed(ConfigChange change) {
  if (change.touches(pci::kCommand, 2) || change.touches(msi_capability_, kMsiBodyBytes + 2)) update_irq();
}

bool AhciController::msi_enabled() const { return word(msi_capability_ + kMsiControl) & kMsiEnable; }

u64 AhciController::message_phys() const {
  const auto dword = [this](unsigned offset) { return u32{word(offset)} | u32{word(offset + 2)} << 16; };
  return dword(msi_capability_ + kMsiAddress) | u64{dword(msi_capability_ + kMsiUpperAddress)} << 32;
}

u16 AhciController::message_data() const { return word(msi_capability_ + kMsiData); }

bool AhciController::may_send_unmaskable() const {
  return msi_enabled() && bus_master() && is_unmaskable_message(message_phys(), message_data());
}

void AhciController::send_message() {
  if (bus_master()) msi_.send_msi(message_phys(), message_data());
}

// 10.7.2: a message for every port that joins those with an interrupt.
void AhciController::update_irq() {
  if (restoring_) return;
  const u32 before = is_;
  for (unsigned i = 0; i < kPorts; ++i)
    if (ports_[i] && ports_[i]->wants_interrupt()) is_ |= 1u << i;
  const bool wanted = is_ != 0 && (ghc_ & kGhcInterrupts);
  if (wanted && (is_ & ~before) && msi_enabled()) send_message();
  const u8 status = static_cast<u8>(byte(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, static_cast<u8>(wanted ? status | pci::kStatusInterrupt : status));
  const bool level = wanted && !msi_enabled() && !(word(pci::kCommand) & pci::kCommandInterruptDisable);
  if (level == level_) return;
  level_ = level;
  interrupt_.set(level);
}

u32 AhciController::read(u64 offset) const {
  if (offset >= kPort0) {
    const u64 index = (offset - kPort0) / AhciPort::kBytes;
    return index < kPorts ? ports_[index]->read((offset - kPort0) % AhciPort::kBytes) : 0;
  }
  switch (offset) {
    case kCap: return kCapabilities;
    case kGhc: return ghc_;
    case kIs: return is_;
    case kPi: return kImplemented;
    case kVs: return kVersion;
    default: return 0;
  }
}

void AhciController::write(u64 offset, u32 value) {
  if (offset >= kPort0) {
    const u64 index = (offset - kPort0) / AhciPort::kBytes;
    if (index < kPorts) ports_[index]->write((offset - kPort0) % AhciPort::kBytes, value);
    return;
  }
  if (offset == kGhc) {
    if (value & kGhcReset) return reset_adapter();
    const bool enabled = value & ~ghc_ & kGhcInterrupts;
    ghc_ = kGhcAhci | (value & kGhcInterrupts);
    if (enabled && is_ != 0 && msi_enabled()) send_message();
    update_irq();
  } else if (offset == kIs) {
    is_ &= ~value;
    const u32 kept = is_;
    update_irq();
    // What is left, or comes back at once, asks again. 10.7.2.1.
    if (kept != 0 && kept == is_ && (ghc_ & kGhcInterrupts) && msi_enabled()) send_message();
  }
}

u64 AhciController::mmio_read(u64 offset, Width width) {
  if (width == Width::Qword) return read(offset) | u64{read(offset + 4)} << 32;
  return (u64{read(align_down(offset, 4))} >> 8 * (offset & 3)) & width_mask(width);
}

void AhciController::mmio_write(u64 offset, Width width, u64 value) {
  if (width < Width::Dword) return;
  write(offset, static_cast<u32>(value));
  if (width == Width::Qword) write(offset + 4, static_cast<u32>(value >> 32));
}

void AhciController::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.tag("ahci");
  archive.value(ghc_);
  archive.value(is_);
  archive.value(level_);
  restoring_ = true;  // the wires are somebody else's state
  for (const auto& port : ports_) port->serialize(archive);
  restoring_ = false;
}

std::string AhciController::debug_dump() const {
  std::string text = fmt::format("GHC={:08x} IS={:08x}\n", ghc_, is_);
  for (const auto& port : ports_) text += port->debug_dump();
  return text;
}

}  // namespace reprise::devices::ahci
