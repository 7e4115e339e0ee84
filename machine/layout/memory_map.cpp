#include "machine/layout/memory_map.h"

namespace reprise::machine {

std::vector<RamRange> MemoryMap::ram_ranges() const {
  std::vector<RamRange> ranges;
  if (chipset_ == devices::Chipset::Microvm) {
    ranges.push_back({"RAM", 0, low_ram_end_phys(), 0});
  } else {
    ranges.push_back({"conventional RAM", 0, kVgaWindowPhys, 0});
    ranges.push_back({"RAM", kUpperAreaPhys, low_ram_end_phys() - kUpperAreaPhys, kUpperAreaPhys});
  }
  if (const u64 low = low_ram_end_phys(); ram_bytes_ > low)
    ranges.push_back({"RAM above 4 GiB", kAbove4GPhys, ram_bytes_ - low, low});
  return ranges;
}

std::vector<E820Entry> MemoryMap::e820() const {
  std::vector<E820Entry> entries = {
      {0, kEbdaPhys, E820Type::Ram},
      {kEbdaPhys, kVgaWindowPhys - kEbdaPhys, E820Type::Reserved},
      {kAcpiTablesPhys, kHighMemoryPhys - kAcpiTablesPhys, E820Type::Reserved},
      {kHighMemoryPhys, usable_end_phys() - kHighMemoryPhys, E820Type::Ram},
      {kIoApicPhys, kPageBytes, E820Type::Reserved},
  };
  if (chipset_ != devices::Chipset::Microvm)
    entries.push_back({kGenerationIdPhys, kPageBytes, E820Type::Reserved});
  entries.push_back({kLapicPhys, kPageBytes, E820Type::Reserved});
  if (firmware_bytes_ != 0) entries.push_back({usable_end_phys(), firmware_bytes_, E820Type::Reserved});
  if (chipset_ == devices::Chipset::Q35)
    entries.push_back({kConfigWindowPhys, kConfigWindowBytes, E820Type::Reserved});
  if (const u64 low = low_ram_end_phys(); ram_bytes_ > low)
    entries.push_back({kAbove4GPhys, ram_bytes_ - low, E820Type::Ram});
  return entries;
}

}  // namespace reprise::machine
