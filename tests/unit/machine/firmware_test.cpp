// What firmware is told: the table loader's script, run as firmware runs it, and SMBIOS.
#include "machine/firmware/firmware.h"

#include <gtest/gtest.h>

#include <map>

#include "common/bits.h"
#include "devices/firmware/fw_cfg.h"
#include "machine/storage/run_files.h"
#include "machine/tables/smbios.h"
#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine {
namespace {

using Files = std::map<std::string, std::vector<u8>>;

std::string name_at(const std::vector<u8>& script, std::size_t at) {
  return reinterpret_cast<const char*>(&script[at]);
}

TEST(AcpiLoaderScript, GivesTheTablesThatDirectBootPlaces) {
  const AcpiConfig config{.apic_ids = {0}, .hpet_block_id = 1, .vga = true, .pci_window_phys = 0x8000'0000};
  const AcpiImage image = build_acpi_image(config);
  const AcpiTables placed = place_acpi_tables(image, 0xe0000);
  const u64 tables_phys = 0xe0000 + 64;

  Files files = {{"etc/acpi/rsdp", image.rsdp}, {"etc/acpi/tables", image.tables}};
  const std::vector<u8> script = acpi_loader_script(image);
  ASSERT_EQ(script.size() % 128, 0u);
  for (std::size_t at = 0; at < script.size(); at += 128) {
    std::vector<u8>& file = files.at(name_at(script, at + 4));
    switch (script[at]) {
      case 1: break;
      case 2: {
        ASSERT_EQ(name_at(script, at + 60), "etc/acpi/tables");
        const u32 offset = read_unaligned<u32>(&script[at + 116]);
        u64 carry = tables_phys;
        for (unsigned i = 0; i < script[at + 120]; ++i) {
          carry += file.at(offset + i);
          file[offset + i] = static_cast<u8>(carry);
          carry >>= 8;
        }
        break;
      }
      case 3: {
        const u32 offset = read_unaligned<u32>(&script[at + 60]);
        const u32 first = read_unaligned<u32>(&script[at + 64]);
        u8 sum = 0;
        for (u32 i = 0; i < read_unaligned<u32>(&script[at + 68]); ++i)
          sum = static_cast<u8>(sum + file.at(first + i));
        file[offset] = static_cast<u8>(file[offset] - sum);
        break;
      }
      default: FAIL() << "command " << int{script[at]};
    }
  }
  std::vector<u8> whole = files["etc/acpi/rsdp"];
  whole.resize(64);
  whole.insert(whole.end(), files["etc/acpi/tables"].begin(), files["etc/acpi/tables"].end());
  EXPECT_EQ(whole, placed.bytes);
}

TEST(Smbios, StructuresFollowEachOtherToTheEnd) {
  for (const u64 ram_bytes : {512 * kMiB, 4 * kGiB, 64 * kGiB}) {
    const SmbiosTables smbios =
        build_smbios({.ram_bytes = ram_bytes, .topology = {.sockets = 2, .cores = 3, .threads = 2}});
    unsigned count = 0;
    u8 type = 0;
    std::size_t at = 0;
    u64 mapped_kib = 0;
    unsigned sockets = 0;
    while (at < smbios.tables.size()) {
      type = smbios.tables[at];
      const u8* structure = &smbios.tables[at];
      if (type == 4) {
        ++sockets;
        EXPECT_EQ(structure[0x23], 3) << "cores";
        EXPECT_EQ(structure[0x25], 6) << "threads";
        EXPECT_EQ(read_unaligned<u16>(structure + 0x26), 0x1c) << "64-bit, cores, threads";
      }
      if (type == 19) {
        const u32 first = read_unaligned<u32>(structure + 4);
        const u32 last = read_unaligned<u32>(structure + 8);
        mapped_kib += u64{last} - first + 1;
      }
      at += structure[1];
      while (at + 1 < smbios.tables.size() && (smbios.tables[at] | smbios.tables[at + 1])) ++at;
      at += 2;
      ++count;
    }
    EXPECT_EQ(at, smbios.tables.size());
    EXPECT_EQ(type, 127);
    EXPECT_EQ(sockets, 2u);
    EXPECT_EQ(mapped_kib * kKiB, ram_bytes);
    ASSERT_EQ(smbios.anchor.size(), 0x1fu);
    EXPECT_EQ(read_unaligned<u16>(&smbios.anchor[0x16]), smbios.tables.size());
    EXPECT_EQ(read_unaligned<u16>(&smbios.anchor[0x1c]), count);
  }
}

TEST(Bios, MissingAndCutFilesAreNamed) {
  RunFiles files;
  const auto missing = load_firmware({.bios = "/nonexistent/bios.bin"}, devices::Chipset::I440fx, files);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("/nonexistent/bios.bin"), std::string::npos);
  const auto cut = load_firmware({.bios = "/proc/self/exe"}, devices::Chipset::I440fx, files);
  ASSERT_FALSE(cut.ok());
}

TEST(Smbios, SaysWhatTheUserWants) {
  SmbiosConfig config{.ram_bytes = 64 * kMiB, .topology = {}};
  config.words.product = "A board";
  config.words.serial = "S1";
  config.words.oem_strings = {"first", "second"};
  config.words.uuid = std::array<u8, 16>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const std::vector<u8> tables = build_smbios(config).tables;
  const std::string text(tables.begin(), tables.end());
  const auto has = [&](const std::string& wanted) { return text.find(wanted) != text.npos; };
  EXPECT_TRUE(has(std::string("Reprise\0A board\0001\0S1\0\0", 22)));
  EXPECT_TRUE(has(std::string("first\0second\0\0", 14)));
  EXPECT_TRUE(has(std::string("\3\2\1\0\5\4\7\6\10\11\12\13\14\15\16\17", 16)))
      << "three numbers, then bytes";
  EXPECT_FALSE(has("Reprise PC"));
}

TEST(FwCfg, TheUsersFilesAreThere) {
  struct Memory final : DmaPort {
    bool dma_read(u64, std::span<u8>) override { return true; }
    bool dma_write(u64, std::span<const u8>) override { return true; }
  } memory;
  devices::FwCfg fw_cfg(memory);
  RunFiles files;
  const boot::TemporaryFile content("from a file");
  FirmwareConfig config;
  config.files = {{.name = "opt/a", .text = "text"}, {.name = "opt/b", .path = content.path()}};
  ASSERT_TRUE(add_files_of_user(fw_cfg, config, files).ok());
  EXPECT_EQ(*fw_cfg.file("opt/a"), (std::vector<u8>{'t', 'e', 'x', 't'}));
  ASSERT_NE(fw_cfg.file("opt/b"), nullptr);
  EXPECT_EQ(fw_cfg.file("opt/b")->size(), 11U);
  EXPECT_EQ(files.files_read().size(), 1U) << "a recording knows of it";
  config.files = {{.name = "opt/c", .path = "/nowhere/at all"}};
  EXPECT_FALSE(add_files_of_user(fw_cfg, config, files).ok());
}

}  // namespace
}  // namespace reprise::machine
