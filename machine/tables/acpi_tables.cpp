#include "machine/tables/acpi_tables.h"

#include <span>
#include <string_view>

#include "common/bits.h"
#include "devices/irq/ioapic.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine {
namespace {

constexpr u32 kChecksumOffset = 9;  // in every table with a standard header
constexpr u32 kBodyOffset = 36;

/// System description table header (5.2.6) without its checksum, and `body`.
std::vector<u8> table(std::string_view signature, u8 revision, const std::vector<u8>& body) {
  TableBytes writer;
  writer.text(signature).le(kBodyOffset + body.size(), 4).u8s({revision, 0});
  writer.text("REPRIS").text("REPRISPC").le(1, 4);  // OEM id, OEM table id and revision
  writer.text("RPRS").le(1, 4);                     // creator id and revision
  std::vector<u8> bytes = writer.take();
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

/// 5.2.9. Revision 4: the tables of ACPI 4.0, which every guest reads.
constexpr u32 kFadtFacs = 36;
constexpr u32 kFadtDsdt = 40;
constexpr u32 kFadtXDsdt = 140;
std::vector<u8> fadt(const AcpiConfig& config, u32 facs_offset, u32 dsdt_offset) {
  constexpr u16 kBootLegacyDevices = 1u << 0;
  constexpr u16 kBoot8042 = 1u << 1;
  constexpr u16 kBootNoVga = 1u << 2;
  constexpr u32 kFlagWbinvd = 1u << 0;
  constexpr u32 kFlagProcC1 = 1u << 2;
  constexpr u32 kFlagSleepButtonIsDevice = 1u << 5;
  constexpr u32 kFlagResetRegister = 1u << 10;
  constexpr u16 kNoCState = 0xffff;
  using Space = TableBytes::Space;
  const bool ich9 = config.chipset == devices::Chipset::Q35;
  const u16 gpe0 = ich9 ? kIch9Gpe0Port : kGpe0Port;
  const u8 gpe0_bytes = ich9 ? 16 : 4;
  const auto port = [&](u16 usual) { return config.pm_base + (usual - kPmBasePort); };

  TableBytes w;
  w.le(facs_offset, 4).le(dsdt_offset, 4);
  w.u8s({0, 0});     // reserved; preferred profile: unspecified
  w.le(kIrqSci, 2);  // SCI_INT
  w.le(kSmiCommandPort, 4).u8s({kAcpiEnable, kAcpiDisable, 0, 0});
  w.le(port(kPm1EventPort), 4).le(0, 4);    // PM1a, PM1b event blocks
  w.le(port(kPm1ControlPort), 4).le(0, 4);  // PM1a, PM1b control blocks
  w.le(0, 4).le(port(kPmTimerPort), 4);     // PM2 control block, PM timer
  w.le(port(gpe0), 4).le(0, 4);             // GPE0, GPE1 blocks
  w.u8s({4, 2, 0, 4, gpe0_bytes, 0, 0,
         0});  // lengths: PM1_EVT PM1_CNT PM2_CNT PM_TMR GPE0 GPE1; GPE1_BASE; CST_CNT
  w.le(kNoCState, 2).le(kNoCState, 2);  // no C2, no C3
  w.le(0, 2).le(0, 2).u8s({0, 0});      // FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH
  w.u8s({0, 0, 0x32});                  // DAY_ALRM, MON_ALRM, CENTURY
  w.le(kBootLegacyDevices | kBoot8042 | (config.vga ? 0 : kBootNoVga), 2).u8s({0});
  // The RTC's alarm wakes by the fixed register (RTC_STS).
  w.le(kFlagWbinvd | kFlagProcC1 | kFlagSleepButtonIsDevice | kFlagResetRegister, 4);
  w.address(Space::Io, 8, kResetControlPort).u8s({kResetControlValue}).zeros(3);
  w.le(0, 8).le(dsdt_offset, 8);  // X_FIRMWARE_CTRL (FIRMWARE_CTRL is used), X_DSDT
  w.address(Space::Io, 32, port(kPm1EventPort)).address(Space::Io, 0, 0);
  w.address(Space::Io, 16, port(kPm1ControlPort)).address(Space::Io, 0, 0);
  w.address(Space::Io, 0, 0).address(Space::Io, 32, port(kPmTimerPort));
  w.address(Space::Io, static_cast<u8>(8 * gpe0_bytes), port(gpe0)).address(Space::Io, 0, 0);
  return table("FACP", 4, w.take());
}

/// 5.2.10. No checksum, no standard header.
std::vector<u8> facs() {
  TableBytes w;
  w.text("FACS").le(64, 4).zeros(56);
  return w.take();
}

/// 5.2.12.
std::vector<u8> madt(const AcpiConfig& config) {
  constexpr u32 kPcAtCompatible = 1;  // there are 8259s
  constexpr u32 kEnabled = 1;
  constexpr u16 kConforms = 0;
  constexpr u16 kActiveHighLevel = 1 | 3 << 2;
  constexpr u8 kAllProcessors = 0xff;
  TableBytes w;
  const bool has_pic = !config.reduced || config.reduced->pic;
  w.le(kLapicPhys, 4).le(has_pic ? kPcAtCompatible : 0, 4);
  for (std::size_t i = 0; i < config.apic_ids.size(); ++i) {
    w.u8s({0, 8, static_cast<u8>(i), config.apic_ids[i]}).le(kEnabled, 4);
  }
  w.u8s({1, 12, kIoApicId, 0}).le(kIoApicPhys, 4).le(0, 4);
  if (config.reduced && config.reduced->second_io_apic)
    w.u8s({1, 12, kSecondIoApicId, 0}).le(kSecondIoApicPhys, 4).le(devices::IoApic::kPins, 4);
  if (!config.reduced) {
    w.u8s({2, 10, 0, kIrqPit}).le(kPitGsi, 4).le(kConforms, 2);
    w.u8s({2, 10, 0, kIrqSci}).le(kIrqSci, 4).le(kActiveHighLevel, 2);
  }
  w.u8s({4, 6, kAllProcessors}).le(kConforms, 2).u8s({1});
  return table("APIC", 3, w.take());
}

/// IA-PC HPET specification 1.0a, 3.2.4.
std::vector<u8> hpet(const AcpiConfig& config) {
  TableBytes w;
  w.le(config.hpet_block_id, 4).address(TableBytes::Space::Memory, 64, kHpetPhys);
  w.u8s({0}).le(0x80, 2).u8s({0});  // number, minimum tick of periodic mode, no page protection
  return table("HPET", 1, w.take());
}

/// PCI Firmware Specification 3.0, 4.1.2: one segment.
std::vector<u8> mcfg(const devices::HostBridge::Window& window) {
  constexpr u64 kBusBytes = 1 << 20;
  TableBytes w;
  w.zeros(8).le(window.phys, 8).le(0, 2).u8s({0, static_cast<u8>(window.bytes / kBusBytes - 1)}).zeros(4);
  return table("MCFG", 1, w.take());
}

/// RSDT, 5.2.7, and XSDT, 5.2.8.
std::vector<u8> root_table(std::string_view signature, unsigned entry_bytes,
                           const std::vector<u32>& entries) {
  TableBytes w;
  for (const u32 offset : entries) w.le(offset, entry_bytes);
  return table(signature, 1, w.take());
}

/// 5.2.5.3. The first checksum covers the 20 bytes of revision 0, the second all.
constexpr u32 kRsdpRsdt = 16;
constexpr u32 kRsdpXsdt = 24;
std::vector<u8> rsdp(u32 rsdt_offset, u32 xsdt_offset) {
  TableBytes w;
  w.text("RSD PTR ").u8s({0}).text("REPRIS").u8s({2}).le(rsdt_offset, 4);
  w.le(kRsdpBytes, 4).le(xsdt_offset, 8).u8s({0}).zeros(3);
  return w.take();
}

void add_to_field(std::span<u8> field, u64 addend) {
  for (u8& byte : field) {
    addend += byte;
    byte = static_cast<u8>(addend);
    addend >>= 8;
  }
}

}  // namespace

AcpiImage build_acpi_image(const AcpiConfig& config) {
  using Part = AcpiImage::Part;
  AcpiImage image;
  std::vector<u8>& tables = image.tables;
  const auto place = [&](const std::vector<u8>& bytes) {
    tables.resize(align_up(tables.size(), AcpiImage::kTablesAlignment));
    const auto offset = static_cast<u32>(tables.size());
    tables.insert(tables.end(), bytes.begin(), bytes.end());
    return offset;
  };
  // A table's checksum comes after those of the tables that it does not depend on; none depends on another's.
  const auto place_summed = [&](const std::vector<u8>& bytes) {
    const u32 offset = place(bytes);
    image.checksums.push_back(
        {Part::Tables, offset + kChecksumOffset, offset, static_cast<u32>(bytes.size())});
    return offset;
  };
  const auto point = [&](u32 offset, u8 bytes) { image.pointers.push_back({Part::Tables, offset, bytes}); };

  u32 dsdt_offset = 0;
  u32 fadt_offset = 0;
  if (config.reduced) {
    dsdt_offset = place_summed(table("DSDT", 2, reduced_dsdt_aml(*config.reduced)));
    fadt_offset = place_summed(table("FACP", 5, reduced_fadt(dsdt_offset)));
  } else {
    image.facs_offset = place(facs());
    dsdt_offset = place_summed(table("DSDT", 2, dsdt_aml(config)));
    fadt_offset = place_summed(fadt(config, *image.facs_offset, dsdt_offset));
    point(fadt_offset + kFadtFacs, 4);
  }
  point(fadt_offset + kFadtDsdt, 4);
  point(fadt_offset + kFadtXDsdt, 8);
  std::vector<u32> entries = {fadt_offset, place_summed(madt(config))};
  if (config.hpet_block_id != 0) entries.push_back(place_summed(hpet(config)));
  if (config.config_window) entries.push_back(place_summed(mcfg(*config.config_window)));
  const u32 rsdt_offset = place_summed(root_table("RSDT", 4, entries));
  const u32 xsdt_offset = place_summed(root_table("XSDT", 8, entries));
  for (u32 i = 0; i < entries.size(); ++i) {
    point(rsdt_offset + kBodyOffset + 4 * i, 4);
    point(xsdt_offset + kBodyOffset + 8 * i, 8);
  }

  image.rsdp = rsdp(rsdt_offset, xsdt_offset);
  image.pointers.push_back({Part::Rsdp, kRsdpRsdt, 4});
  image.pointers.push_back({Part::Rsdp, kRsdpXsdt, 8});
  image.checksums.push_back({Part::Rsdp, 8, 0, 20});
  image.checksums.push_back({Part::Rsdp, 32, 0, kRsdpBytes});
  return image;
}

AcpiTables place_acpi_tables(AcpiImage image, u64 phys) {
  const u64 tables_phys = align_up(phys + image.rsdp.size(), AcpiImage::kTablesAlignment);
  const auto part = [&](AcpiImage::Part which) {
    return std::span<u8>(which == AcpiImage::Part::Rsdp ? image.rsdp : image.tables);
  };
  for (const AcpiImage::Pointer& pointer : image.pointers)
    add_to_field(part(pointer.part).subspan(pointer.offset, pointer.bytes), tables_phys);
  for (const AcpiImage::Checksum& sum : image.checksums) {
    make_sum_zero(part(sum.part).subspan(sum.first, sum.bytes), sum.offset - sum.first);
  }
  AcpiTables placed{.phys = phys, .bytes = std::move(image.rsdp)};
  if (image.facs_offset) placed.facs_phys = tables_phys + *image.facs_offset;
  placed.bytes.resize(tables_phys - phys);
  placed.bytes.insert(placed.bytes.end(), image.tables.begin(), image.tables.end());
  return placed;
}

}  // namespace reprise::machine
