#include "machine/board/smram_window.h"

#include <gtest/gtest.h>

#include "machine/layout/memory_map.h"

namespace reprise::machine {
namespace {

using devices::HostBridge;

class SmramWindowTest : public ::testing::Test {
 protected:
  class Listener final : public mmu::CodeListener {
   public:
    bool code_written(u64 phys, u64) override {
      written.push_back(phys);
      return true;
    }
    void mark_code(u64, mmu::CodeBytes&) const override {}
    std::vector<u64> written;
  };
  SmramWindowTest() {
    EXPECT_TRUE(map.add_ram("low", 0, kVgaWindowPhys, 0).ok());
    EXPECT_TRUE(map.add_ram("high", kUpperAreaPhys, ram->bytes() - kUpperAreaPhys, kUpperAreaPhys).ok());
    code_pages.add_listener(listener);
  }
  bool set(u8 value) {
    bridge.config_write(HostBridge::kSmram, Width::Byte, value);
    return window.update(bridge);
  }
  u64 read(u64 phys) { return map.read(phys, Width::Byte); }
  void write(u64 phys, u8 value) { map.write(phys, Width::Byte, value); }

  std::unique_ptr<mmu::Ram> ram = mmu::Ram::create(2 * kMiB).take();
  mmu::PhysMap map{*ram};
  mmu::CodePages code_pages;
  Listener listener;
  HostBridge bridge;
  SmramWindow window{map, code_pages};
};

TEST_F(SmramWindowTest, OpensForEverybody) {
  EXPECT_FALSE(window.update(bridge)) << "as after reset";
  EXPECT_EQ(read(0xa0000), 0xffu);
  EXPECT_TRUE(set(0x4a));
  write(0xa0000, 0x12);
  write(0xbffff, 0x34);
  EXPECT_EQ(read(0xa0000), 0x12u);
  EXPECT_TRUE(set(0x0a));
  EXPECT_EQ(read(0xa0000), 0xffu);
  EXPECT_EQ(ram->host()[0xbffff], 0x34);
}

TEST_F(SmramWindowTest, CodeInSmmSeesWhatTheRegisterSays) {
  using Smram = mmu::Mmu::Smram;
  EXPECT_EQ(window.in_smm(), Smram{});
  EXPECT_TRUE(set(0x0a));
  EXPECT_EQ(window.in_smm(), (Smram{.phys = 0xa0000, .bytes = 0x20000, .code = true, .data = true}));
  EXPECT_FALSE(set(0x0a));
  EXPECT_TRUE(set(0x2a));
  EXPECT_EQ(window.in_smm(), (Smram{.phys = 0xa0000, .bytes = 0x20000, .code = true, .data = false}));
}

TEST_F(SmramWindowTest, TranslatedCodeGoesWithAChange) {
  code_pages.add_code(0xa8000, 16);
  EXPECT_TRUE(set(0x0a));
  EXPECT_EQ(listener.written, std::vector<u64>{0xa8000});
}

}  // namespace
}  // namespace reprise::machine
