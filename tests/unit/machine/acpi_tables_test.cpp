#include "machine/tables/acpi_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>

#include "common/bits.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/aml.h"

namespace reprise::machine {
namespace {

u8 sum(std::span<const u8> bytes) {
  u8 total = 0;
  for (const u8 byte : bytes) total = static_cast<u8>(total + byte);
  return total;
}

/// Follows the pointers as a guest does.
struct Parsed {
  AcpiTables tables =
      place_acpi_tables(build_acpi_image({.apic_ids = {0, 1}, .hpet_block_id = 0x8086a201}), kAcpiTablesPhys);
  std::span<const u8> at(u64 phys) const {
    return std::span<const u8>(tables.bytes).subspan(phys - tables.phys);
  }
  std::span<const u8> table_at(u64 phys) const {
    return at(phys).first(read_unaligned<u32>(at(phys).data() + 4));
  }
  std::map<std::string, std::span<const u8>> all() const {
    std::map<std::string, std::span<const u8>> out;
    const auto rsdp = at(tables.rsdp_phys());
    const auto xsdt = table_at(read_unaligned<u64>(rsdp.data() + 24));
    for (std::size_t offset = 36; offset < xsdt.size(); offset += 8) {
      const auto table = table_at(read_unaligned<u64>(xsdt.data() + offset));
      out[std::string(table.begin(), table.begin() + 4)] = table;
    }
    out["XSDT"] = xsdt;
    out["DSDT"] = table_at(read_unaligned<u32>(out["FACP"].data() + 40));
    return out;
  }
};

TEST(AcpiTables, RsdpIsWhereGuestsLookAndAddsUp) {
  const Parsed parsed;
  const auto rsdp = parsed.at(parsed.tables.rsdp_phys());
  EXPECT_EQ(std::string(rsdp.begin(), rsdp.begin() + 8), "RSD PTR ");
  EXPECT_EQ(parsed.tables.rsdp_phys() % 16, 0u);
  EXPECT_EQ(sum(rsdp.first(20)), 0);
  EXPECT_EQ(sum(rsdp.first(36)), 0);
  EXPECT_LT(parsed.tables.phys + parsed.tables.bytes.size(), kHighMemoryPhys);
}

TEST(AcpiTables, EveryTableHasItsLengthAndAddsUp) {
  const Parsed parsed;
  const auto tables = parsed.all();
  for (const char* name : {"XSDT", "FACP", "APIC", "HPET", "DSDT"}) {
    ASSERT_TRUE(tables.contains(name)) << name;
    EXPECT_EQ(sum(tables.at(name)), 0) << name;
  }
  EXPECT_EQ(tables.at("FACP").size(), 244u);
}

TEST(AcpiTables, FadtNamesTheHardware) {
  const Parsed parsed;
  const auto fadt = parsed.all().at("FACP");
  EXPECT_EQ(read_unaligned<u16>(fadt.data() + 46), kIrqSci);
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 56), kPm1EventPort);
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 64), kPm1ControlPort);
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 76), kPmTimerPort);
  EXPECT_EQ(fadt[91], 4) << "PM_TMR_LEN";
  EXPECT_EQ(read_unaligned<u64>(fadt.data() + 120), kResetControlPort);
  EXPECT_EQ(fadt[128], kResetControlValue);
  const auto facs = parsed.at(read_unaligned<u32>(fadt.data() + 36));
  EXPECT_EQ(std::string(facs.begin(), facs.begin() + 4), "FACS");
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 36) % 64, 0u);
}

TEST(AcpiTables, MadtListsProcessorsAndOverrides) {
  const Parsed parsed;
  const auto madt = parsed.all().at("APIC");
  unsigned lapics = 0;
  std::map<u8, u32> overrides;
  for (std::size_t at = 44; at + 2 <= madt.size(); at += madt[at + 1]) {
    ASSERT_GE(madt[at + 1], 2);
    if (madt[at] == 0) ++lapics;
    if (madt[at] == 2) overrides[madt[at + 3]] = read_unaligned<u32>(madt.data() + at + 4);
  }
  EXPECT_EQ(lapics, 2u);
  EXPECT_EQ(overrides[0], kPitGsi);
  EXPECT_EQ(overrides[9], kIrqSci);
}

TEST(AcpiTables, DsdtHasSoftOff) {
  const Parsed parsed;
  const auto dsdt = parsed.all().at("DSDT");
  const aml::Bytes s5 = aml::path("\\_S5");
  EXPECT_NE(std::search(dsdt.begin(), dsdt.end(), s5.begin(), s5.end()), dsdt.end());
}

TEST(AcpiTables, DsdtHasSuspendToRamWhereItCanEnd) {
  const aml::Bytes s3 = aml::path("\\_S3");
  const std::vector<u8> dsdt = dsdt_aml({.apic_ids = {0}});
  EXPECT_NE(std::search(dsdt.begin(), dsdt.end(), s3.begin(), s3.end()), dsdt.end());
}

TEST(Aml, PackageLengthsOfEverySize) {
  EXPECT_EQ(aml::buffer({}), (aml::Bytes{0x11, 2, 0x00}));
  for (const std::size_t size : {10u, 59u, 60u, 61u, 62u, 63u, 64u, 4000u, 4090u, 4100u, 70000u}) {
    const aml::Bytes scope = aml::scope("\\_SB", {aml::Bytes(size, 0xa3)});
    const unsigned extra = scope[1] >> 6;
    std::size_t length = extra == 0 ? scope[1] & 0x3fu : scope[1] & 0xfu;
    for (unsigned i = 0; i < extra; ++i) length |= std::size_t{scope[2 + i]} << (4 + 8 * i);
    EXPECT_EQ(length, scope.size() - 1) << size;
  }
}

TEST(Aml, NamesIntegersAndIds) {
  EXPECT_EQ(aml::path("_HID"), (aml::Bytes{'_', 'H', 'I', 'D'}));
  EXPECT_EQ(aml::path("\\_SB.PCI0"), (aml::Bytes{'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
  EXPECT_EQ(aml::integer(0), aml::Bytes{0});
  EXPECT_EQ(aml::integer(1), aml::Bytes{1});
  EXPECT_EQ(aml::integer(0x1234), (aml::Bytes{0x0b, 0x34, 0x12}));
  EXPECT_EQ(aml::eisa_id("PNP0A03"), (aml::Bytes{0x0c, 0x41, 0xd0, 0x0a, 0x03}));
}

TEST(AcpiTables, AMouseIsNamedWhenThereIsOne) {
  const auto names_mouse = [](bool mouse) {
    const std::vector<u8> aml = dsdt_aml({.apic_ids = {0}, .ps2_mouse = mouse});
    const std::vector<u8> name = {'M', 'O', 'U', '_'};
    return !std::ranges::search(aml, name).empty();
  };
  EXPECT_FALSE(names_mouse(false));
  EXPECT_TRUE(names_mouse(true));
}

TEST(AcpiTables, WithoutAnHpetNobodyIsToldOfOne) {
  Parsed parsed;
  EXPECT_TRUE(parsed.all().contains("HPET"));
  parsed.tables = place_acpi_tables(build_acpi_image({.apic_ids = {0}}), kAcpiTablesPhys);
  EXPECT_FALSE(parsed.all().contains("HPET"));
  const std::vector<u8> name = {'H', 'P', 'E', 'T'}, aml = dsdt_aml({.apic_ids = {0}});
  EXPECT_TRUE(std::ranges::search(aml, name).empty());
}

TEST(AcpiTables, OfAQ35TheyTellOfConfigurationSpaceAndIch9) {
  Parsed parsed;
  EXPECT_FALSE(parsed.all().contains("MCFG"));
  parsed.tables = place_acpi_tables(
      build_acpi_image({.apic_ids = {0},
                        .chipset = devices::Chipset::Q35,
                        .config_window = devices::HostBridge::Window{0xb000'0000, 128 << 20}}),
      kAcpiTablesPhys);
  const auto tables = parsed.all();
  ASSERT_TRUE(tables.contains("MCFG"));
  const auto mcfg = tables.at("MCFG");
  EXPECT_EQ(sum(mcfg), 0);
  EXPECT_EQ(mcfg.size(), 60u);
  EXPECT_EQ(read_unaligned<u64>(mcfg.data() + 44), 0xb000'0000u);
  EXPECT_EQ(mcfg[54], 0);
  EXPECT_EQ(mcfg[55], 127) << "128 buses";
  const auto fadt = tables.at("FACP");
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 80), kIch9Gpe0Port);
  EXPECT_EQ(fadt[92], 16) << "GPE0_BLK_LEN";
}

TEST(AcpiTables, OfAMicrovmTheyAreThoseOfReducedHardware) {
  Parsed parsed;
  AcpiConfig config{.apic_ids = {0, 1},
                    .reduced = ReducedHardware{.second_io_apic = true, .virtio = {{23, 47}, {22, 46}}}};
  parsed.tables = place_acpi_tables(build_acpi_image(config), kAcpiTablesPhys);
  EXPECT_FALSE(parsed.tables.facs_phys.has_value());
  const auto tables = parsed.all();
  for (const auto& [name, table] : tables) EXPECT_EQ(sum(table), 0) << name;
  const auto fadt = tables.at("FACP");
  ASSERT_EQ(fadt.size(), 268u) << "revision 5";
  EXPECT_EQ(fadt[8], 5);
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 36), 0u) << "no FACS";
  EXPECT_EQ(read_unaligned<u32>(fadt.data() + 112), 0x0010'0400u) << "hardware-reduced, reset register";
  EXPECT_EQ(read_unaligned<u64>(fadt.data() + 120), 0xfea0'0202u);
  EXPECT_EQ(fadt[128], 0x42);
  EXPECT_EQ(read_unaligned<u64>(fadt.data() + 140), read_unaligned<u32>(fadt.data() + 40)) << "X_DSDT";
  EXPECT_EQ(read_unaligned<u64>(fadt.data() + 248), 0xfea0'0200u) << "sleep control";
  EXPECT_EQ(read_unaligned<u64>(fadt.data() + 260), 0xfea0'0201u) << "sleep status";
  const auto madt = tables.at("APIC");
  // Two processors, two I/O APICs, NMI; no overrides. As QEMU 7.2 has it.
  EXPECT_EQ(madt.size(), 90u);
  EXPECT_EQ(read_unaligned<u32>(madt.data() + 40), 1u) << "there are 8259s";
  EXPECT_EQ(madt[74], 1) << "the second I/O APIC's id";
  EXPECT_EQ(read_unaligned<u32>(madt.data() + 76), 0xfec1'0000u);
  EXPECT_EQ(read_unaligned<u32>(madt.data() + 80), 24u);
  // What QEMU 7.2 makes of the first device.
  const std::vector<u8> virtio = {
      0x5b, 0x82, 0x42, 0x04, 'V',  'R',  '2',  '3',  0x08, '_',  'H',  'I',  'D',  0x0d, 'L',  'N',  'R',
      'O',  '0',  '0',  '0',  '5',  0x00, 0x08, '_',  'U',  'I',  'D',  0x0a, 0x17, 0x08, '_',  'C',  'C',
      'A',  0x01, 0x08, '_',  'C',  'R',  'S',  0x11, 0x1a, 0x0a, 0x17, 0x86, 0x09, 0x00, 0x01, 0x00, 0x2e,
      0xb0, 0xfe, 0x00, 0x02, 0x00, 0x00, 0x89, 0x06, 0x00, 0x01, 0x01, 0x2f, 0x00, 0x00, 0x00, 0x79, 0x00};
  const auto dsdt = tables.at("DSDT");
  EXPECT_FALSE(std::ranges::search(dsdt, virtio).empty());
  const auto names = [&](std::string_view id) {
    return !std::ranges::search(dsdt, std::vector<u8>(id.begin(), id.end())).empty();
  };
  EXPECT_TRUE(names("VR22") && names("ACPI0013") && names("PWRB") && names("COM1") && names("RTC_"));
  EXPECT_FALSE(names("PCI0"));

  config.reduced = ReducedHardware{.pic = false, .rtc = false, .com1 = false};
  parsed.tables = place_acpi_tables(build_acpi_image(config), kAcpiTablesPhys);
  const auto fewer = parsed.all();
  EXPECT_EQ(read_unaligned<u32>(fewer.at("APIC").data() + 40), 0u);
  EXPECT_EQ(fewer.at("APIC").size(), 78u) << "one I/O APIC";
  const std::vector<u8> com1 = {'C', 'O', 'M', '1'}, rtc = {'R', 'T', 'C', '_'};
  EXPECT_TRUE(std::ranges::search(fewer.at("DSDT"), com1).empty());
  EXPECT_TRUE(std::ranges::search(fewer.at("DSDT"), rtc).empty());
}

}  // namespace
}  // namespace reprise::machine
