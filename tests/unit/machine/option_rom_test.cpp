// Option ROMs of network cards: where they come from, and whose they are.
#include "machine/firmware/option_rom.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "common/bits.h"
#include "machine/storage/run_files.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

constexpr u16 kVirtio = 0x1af4, kTransitional = 0x1000, kModern = 0x1041;

/// An image of 512 bytes for the card with these numbers.
std::vector<u8> rom_for(u16 vendor, u16 device) {
  std::vector<u8> rom(512);
  rom[0] = 0x55;
  rom[1] = 0xaa;
  rom[2] = 1;
  rom[0x18] = 0x1c;
  const u8 structure[] = {'P',
                          'C',
                          'I',
                          'R',
                          static_cast<u8>(vendor),
                          static_cast<u8>(vendor >> 8),
                          static_cast<u8>(device),
                          static_cast<u8>(device >> 8)};
  std::copy(std::begin(structure), std::end(structure), rom.begin() + 0x1c);
  rom[6] = static_cast<u8>(0 - std::accumulate(rom.begin(), rom.end(), 0u));
  return rom;
}

u16 device_of(const std::vector<u8>& rom) { return read_unaligned<u16>(&rom[0x1c + 6]); }
u8 sum_of(const std::vector<u8>& rom) { return static_cast<u8>(std::accumulate(rom.begin(), rom.end(), 0u)); }

TEST(OptionRom, ForAVirtioCardNamesTheKindThatIsThere) {
  std::vector<u8> rom = rom_for(kVirtio, kModern);
  name_card(rom, kVirtio, kTransitional);
  EXPECT_EQ(device_of(rom), kTransitional);
  EXPECT_EQ(sum_of(rom), 0) << "SeaBIOS starts no other";
}

TEST(OptionRom, ForOtherCardsStaysAsItIs) {
  for (const auto& [vendor, device] : {std::pair<u16, u16>{0x8086, 0x100e}, {kVirtio, 0x1042}}) {
    const std::vector<u8> rom = rom_for(vendor, device);
    std::vector<u8> named = rom;
    name_card(named, vendor, device);
    name_card(named, kVirtio, kTransitional);
    EXPECT_EQ(named, rom);
  }
  // Whatever a file holds: nothing beyond its end is read.
  std::vector<u8> pointer_behind_the_end = rom_for(kVirtio, kModern);
  pointer_behind_the_end[0x18] = 0xff;
  pointer_behind_the_end[0x19] = 0xff;
  const std::vector<u8> before = pointer_behind_the_end;
  name_card(pointer_behind_the_end, kVirtio, kTransitional);
  EXPECT_EQ(pointer_behind_the_end, before);
  for (std::size_t bytes = 0; bytes < 0x34; ++bytes) {
    std::vector<u8> cut = rom_for(kVirtio, kModern);
    cut.resize(bytes);
    name_card(cut, kVirtio, kTransitional);
  }
}

class OptionRomFile : public StorageTest {};

TEST_F(OptionRomFile, ThatIsNoneIsNamed) {
  RunFiles files;
  const auto why = [&](const std::string& name) {
    const auto rom = load_option_rom(name, files);
    return rom ? "loaded" : rom.error().message;
  };
  EXPECT_NE(why(path("none.rom")).find("none.rom' does not exist"), std::string::npos);
  EXPECT_EQ(
      why(file("text.rom", {'n', 'o', 'n', 'e'})),
      "'" + path("text.rom") +
          "' does not begin as an option ROM does, with 55 AA: give another file, or romfile= for none.");
  std::filesystem::resize_file(file("huge.rom", {0x55, 0xaa}), (u64{16} << 20) + 1);
  EXPECT_NE(why(path("huge.rom")).find("has 16777217 bytes, and a card's has 16777216 at most"),
            std::string::npos);
  EXPECT_TRUE(files.files_read().empty());
  const std::vector<u8> rom = rom_for(kVirtio, kModern);
  EXPECT_EQ(load_option_rom(file("good.rom", rom), files).value(), rom);
  ASSERT_EQ(files.files_read().size(), 1u);
  EXPECT_EQ(files.files_read()[0].what, "option ROM");
}

}  // namespace
}  // namespace reprise::machine
