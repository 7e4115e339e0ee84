#include "machine/tables/mp_table.h"

#include <algorithm>
#include <string_view>

#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine {
namespace {

constexpr u8 kSpecification14 = 4;
constexpr u8 kAllApics = 0xff;
constexpr u32 kNoApicId = 0xff;

// Bus ids, in the order of their entries.
constexpr u8 kPciBus = 0;
constexpr u8 kIsaBus = 1;

// Versions of the APICs, as their registers tell them.
constexpr u8 kLocalApicVersion = 0x14;
constexpr u8 kIoApicVersion = 0x20;

/// 4.3.4 and 4.3.5.
enum class InterruptType : u8 { Int = 0, Nmi = 1, ExtInt = 3 };
constexpr u16 kConforms = 0;
constexpr u16 kActiveHighLevel = 1 | 3 << 2;

struct Entries {
  TableBytes bytes;
  u16 count = 0;
  TableBytes& begin(u8 type) {
    ++count;
    return bytes.u8s({type});
  }
};

/// 4.3.1.
void processors(Entries& entries, const MpConfig& config) {
  constexpr u8 kEnabled = 1;
  constexpr u8 kBootProcessor = 2;
  for (std::size_t i = 0; i < config.apic_ids.size(); ++i) {
    const u32 id = config.apic_ids[i];
    if (id >= kNoApicId) continue;
    const u8 flags = static_cast<u8>(kEnabled | (i == 0 ? kBootProcessor : 0));
    entries.begin(0).u8s({static_cast<u8>(id), kLocalApicVersion, flags});
    entries.bytes.le(config.cpu_signature, 4).le(config.cpu_features, 4).zeros(8);
  }
}

/// 4.3.2 and 4.3.3.
void buses_and_io_apic(Entries& entries, bool has_pci) {
  constexpr u8 kUsable = 1;
  if (has_pci) entries.begin(1).u8s({kPciBus}).text("PCI   ");
  entries.begin(1).u8s({kIsaBus}).text("ISA   ");
  entries.begin(2).u8s({kIoApicId, kIoApicVersion, kUsable}).le(kIoApicPhys, 4);
}

void io_interrupt(Entries& entries, u16 flags, u8 bus, unsigned source, unsigned input) {
  entries.begin(3).u8s({static_cast<u8>(InterruptType::Int)}).le(flags, 2);
  entries.bytes.u8s({bus, static_cast<u8>(source), kIoApicId, static_cast<u8>(input)});
}

/// Where interrupts arrive. ISA lines that belong to PCI alone are not listed, nor is the cascade.
void io_interrupts(Entries& entries, devices::Chipset chipset) {
  constexpr unsigned kPins = 4;
  constexpr unsigned kCascade = 2;
  const bool has_pci = chipset != devices::Chipset::Microvm;
  const unsigned devices = has_pci ? 32 : 0;
  for (unsigned device = 0; device < devices; ++device) {
    for (unsigned pin = 0; pin < kPins; ++pin)
      io_interrupt(entries, kConforms, kPciBus, device << 2 | pin,
                   kPirqGsi + devices::pirq_of(device, pin + 1, chipset));
  }
  for (unsigned line = 0; line < kIsaIrqs; ++line) {
    const bool of_pci = has_pci && std::ranges::find(kPirqIsaLines, line) != std::end(kPirqIsaLines);
    if (line == kCascade || of_pci) continue;
    io_interrupt(entries, has_pci && line == kIrqSci ? kActiveHighLevel : kConforms, kIsaBus, line,
                 line == kIrqPit ? kPitGsi : line);
  }
}

/// Virtual wire mode through the local APICs: the 8259 pair at LINTIN0, NMI at LINTIN1.
void local_interrupts(Entries& entries, const MpConfig& config) {
  const auto entry = [&](InterruptType type, u8 destination, u8 input) {
    entries.begin(4).u8s({static_cast<u8>(type)}).le(kConforms, 2);
    entries.bytes.u8s({kIsaBus, 0, destination, input});
  };
  entry(InterruptType::ExtInt, static_cast<u8>(config.apic_ids.empty() ? 0 : config.apic_ids.front()), 0);
  entry(InterruptType::Nmi, kAllApics, 1);
}

/// 4.2. The checksum is at offset 7.
std::vector<u8> configuration_table(const Entries& entries, const std::vector<u8>& entry_bytes) {
  constexpr u16 kHeaderBytes = 44;
  TableBytes table;
  table.text("PCMP").le(kHeaderBytes + entry_bytes.size(), 2).u8s({kSpecification14, 0});
  table.text("REPRISE ").text("PC          ");
  table.le(0, 4).le(0, 2).le(entries.count, 2);  // no OEM table
  table.le(kLapicPhys, 4).le(0, 2).u8s({0, 0});  // no extended table
  std::vector<u8> bytes = table.take();
  bytes.insert(bytes.end(), entry_bytes.begin(), entry_bytes.end());
  make_sum_zero(bytes, 7);
  return bytes;
}

/// 4.1. The checksum is at offset 10. No default configuration, no IMCR.
constexpr u32 kPointerBytes = 16;
std::vector<u8> floating_pointer(u64 table_phys) {
  TableBytes pointer;
  pointer.text("_MP_").le(table_phys, 4).u8s({kPointerBytes / 16, kSpecification14, 0}).zeros(5);
  std::vector<u8> bytes = pointer.take();
  make_sum_zero(bytes, 10);
  return bytes;
}

}  // namespace

std::vector<u8> build_mp_table(const MpConfig& config, u64 phys) {
  Entries entries;
  processors(entries, config);
  buses_and_io_apic(entries, config.chipset != devices::Chipset::Microvm);
  io_interrupts(entries, config.chipset);
  local_interrupts(entries, config);
  const std::vector<u8> table = configuration_table(entries, entries.bytes.take());
  std::vector<u8> bytes = floating_pointer(phys + kPointerBytes);
  bytes.insert(bytes.end(), table.begin(), table.end());
  return bytes;
}

}  // namespace reprise::machine
