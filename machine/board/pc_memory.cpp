// What processors and bus masters find at physical addresses.
#include "machine/board/pc.h"

#include "common/check.h"

namespace reprise::machine {

void Pc::map_memory() {
  for (const RamRange& range : memory_.ram_ranges()) {
    CHECK(phys_map_.add_ram(range.name, range.phys, range.bytes, range.ram_offset).ok());
  }
  constexpr int kAboveRam = 1;
  CHECK(map_mmio("ioapic", kIoApicPhys, kPageBytes, ioapic_, kAboveRam));
  if (parts_.hpet) CHECK(map_mmio("hpet", kHpetPhys, 0x400, hpet_, kAboveRam));
  if (second_ioapic_)
    CHECK(map_mmio("second ioapic", kSecondIoApicPhys, kPageBytes, *second_ioapic_, kAboveRam));
  if (generic_event_device_)
    CHECK(map_mmio("generic event device", kGenericEventDevicePhys, devices::GenericEventDevice::kBytes,
                   *generic_event_device_, kAboveRam));
  if (parts_.virtio_places != 0)
    CHECK(map_mmio("virtio-mmio", kVirtioMmioPhys, virtio_places_.bytes(), virtio_places_, kAboveRam));
  if (!parts_.pc) return;
  CHECK(map_mmio("generation id", kGenerationIdPhys, kPageBytes, generation_id_, kAboveRam));
  CHECK(map_mmio("vga", kVgaWindowPhys, devices::Vga::kRangeBytes, vga_card_.vga(), kAboveRam));
}

bool Pc::map_mmio(const std::string& name, u64 phys, u64 bytes, MmioHandler& device, int priority) {
  if (traces_.mmio == nullptr) return phys_map_.add_mmio(name, phys, bytes, device, priority).ok();
  std::unique_ptr<TracedMmio>& traced = traced_[name];
  if (!traced) traced = std::make_unique<TracedMmio>(name, device, *traces_.mmio);
  return phys_map_.add_mmio(name, phys, bytes, *traced, priority).ok();
}

void Pc::memory_map_changed() {
  for (const auto& processor : processors_) processor->cpu.mmu.flush_all();
}

void Pc::arrange_smram() {
  if (!smram_window_.update(host_bridge_)) return;
  for (const auto& processor : processors_) processor->cpu.mmu.set_smram(smram_window_.in_smm());
  memory_map_changed();
}

void Pc::set_a20(unsigned source, bool enabled) {
  a20_[source] = enabled;
  for (const auto& processor : processors_) processor->vcpu.set_a20_pin(a20_[0] || a20_[1]);
}

void Pc::tell_debugger(u64 phys, u64 bytes, mmu::Access access) {
  if (processors_.count() == 0 || processors_.running().cpu.stops == nullptr || bytes == 0) [[likely]]
    return;
  // An access to the device may have caused it: then that instruction is the last one.
  if (debug_stops_.accessed(nullptr, std::nullopt, phys, bytes, access, cpu::DebugHit::By::Device))
    processors_.running().cpu.debug_stop = true;
}

bool Pc::dma_read(u64 phys, std::span<u8> into) {
  tell_debugger(phys, into.size(), mmu::Access::Read);
  return phys_map_.read_bytes(phys, into);
}

bool Pc::dma_write(u64 phys, std::span<const u8> from) {
  const bool all_ram = phys_map_.write_bytes(phys, from);
  code_pages_.written(phys, from.size());
  tell_debugger(phys, from.size(), mmu::Access::Write);
  return all_ram;
}

/// SDM 3A 10.11: where and how, from the address; what, from the data.
void Pc::send_msi(u64 phys, u32 data) {
  constexpr u64 kMessageArea = 0xfee;
  if (phys >> 20 != kMessageArea) {
    const u8 bytes[] = {static_cast<u8>(data), static_cast<u8>(data >> 8), static_cast<u8>(data >> 16),
                        static_cast<u8>(data >> 24)};
    dma_write(phys, bytes);
    return;
  }
  using namespace devices;
  apic_bus_.deliver({
      .destination = widen_apic_destination(static_cast<u8>(phys >> 12)),
      .destination_mode = phys & 4 ? DestinationMode::Logical : DestinationMode::Physical,
      .delivery_mode = static_cast<DeliveryMode>(data >> 8 & 7),
      .trigger_mode = data >> 15 & 1 ? TriggerMode::Level : TriggerMode::Edge,
      .vector = static_cast<u8>(data),
  });
}

}  // namespace reprise::machine
