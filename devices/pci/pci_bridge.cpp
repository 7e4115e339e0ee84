#include "devices/pci/pci_bridge.h"

namespace reprise::devices {
namespace {

constexpr u8 kHeaderBridge = 0x01, kHeaderMultiFunction = 0x80;
constexpr u16 kPrefetch64 = 1;  // addresses have 64 bits
constexpr u16 kSerrEnable = 1u << 8, kParityResponse = 1u << 6;
constexpr u16 kBridgeParity = 1u << 0, kBridgeSerr = 1u << 1;
constexpr u16 kSecondaryErrors = 0xf900;  // cleared by writing 1

bool contains(u64 first, u64 last, u64 base, u64 bytes) {
  return first <= last && base >= first && base <= last && bytes - 1 <= last - base;
}

}  // namespace

PciBridge::PciBridge(PciIdentity identity) : PciFunction(identity) {
  define8(pci::kHeaderType, identity.multi_function ? kHeaderBridge | kHeaderMultiFunction : kHeaderBridge);
  define16(pci::kCommand, 0,
           pci::kCommandIo | pci::kCommandMemory | pci::kCommandBusMaster | pci::kCommandInterruptDisable |
               kSerrEnable | kParityResponse);
  define32(pci::kPrimaryBus, 0, 0x00ff'ffff);
  define16(pci::kIoBase, 0, 0xf0f0);
  define16(pci::kSecondaryStatus, 0);
  write_one_to_clear16(pci::kSecondaryStatus, kSecondaryErrors);
  define32(pci::kMemoryBase, 0, 0xfff0'fff0);
  define32(pci::kPrefetchBase, kPrefetch64 | u32{kPrefetch64} << 16, 0xfff0'fff0);
  // Where a function of type 0 has the identity of its subsystem.
  define32(pci::kPrefetchBaseUpper, 0, ~u32{0});
  define32(pci::kPrefetchLimitUpper, 0, ~u32{0});
  define16(pci::kBridgeControl, 0, kBridgeParity | kBridgeSerr | pci::kBridgeReset);
  apply_reset_values();
}

bool PciBridge::leads_to(unsigned bus) const {
  const unsigned first = secondary_number();
  return first != 0 && first <= bus && bus <= byte(pci::kSubordinateBus) && is_open();
}

bool PciBridge::forwards(PciBar::Space space, u64 base, u64 bytes) const {
  if (!is_open() || bytes == 0) return false;
  const u16 command = word(pci::kCommand);
  if (space == PciBar::Space::Io) {
    const u64 first = u64{byte(pci::kIoBase) & 0xf0u} << 8;
    const u64 last = u64{byte(pci::kIoLimit) & 0xf0u} << 8 | 0xfff;
    return (command & pci::kCommandIo) != 0 && contains(first, last, base, bytes);
  }
  if ((command & pci::kCommandMemory) == 0) return false;
  const auto upper = [this](u8 at) { return (u64{word(at)} | u64{word(at + 2u)} << 16) << 32; };
  const auto address = [this](u8 at) { return u64{word(at) & 0xfff0u} << 16; };
  return contains(address(pci::kMemoryBase), address(pci::kMemoryLimit) | 0xf'ffff, base, bytes) ||
         contains(upper(pci::kPrefetchBaseUpper) | address(pci::kPrefetchBase),
                  upper(pci::kPrefetchLimitUpper) | address(pci::kPrefetchLimit) | 0xf'ffff, base, bytes);
}

ConfigChange PciBridge::config_write(u8 offset, Width width, u32 value) {
  const bool was_open = is_open();
  const bool mastered = bus_master();
  const bool was_reset = (word(pci::kBridgeControl) & pci::kBridgeReset) != 0;
  const ConfigChange change = PciFunction::config_write(offset, width, value);
  if (!was_reset && (word(pci::kBridgeControl) & pci::kBridgeReset)) reset_secondary(ResetKind::Warm);
  if (is_open() != was_open || bus_master() != mastered) tell_secondary();
  return change;
}

void PciBridge::upstream_changed() {
  PciFunction::upstream_changed();
  tell_secondary();
}

void PciBridge::reset_secondary(ResetKind kind) {
  secondary_.for_each([&](const PciBus&, unsigned, PciFunction& function) { function.reset(kind); });
}

void PciBridge::tell_secondary() {
  for (unsigned device = 0; device < 32; ++device)
    for (unsigned number = 0; number < 8; ++number)
      if (PciFunction* const function = secondary_.function(device, number)) function->upstream_changed();
}

}  // namespace reprise::devices
