#include "machine/layout/cmos_layout.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

class StoppedClock final : public Clock {
 public:
  u64 now_ns() const override { return 0; }
  TimerId create_timer(std::string_view, std::function<void()>) override { return 0; }
  void arm(TimerId, u64) override {}
  void cancel(TimerId) override {}
  u64 deadline_ns(TimerId) const override { return kNever; }
};

struct Cmos {
  explicit Cmos(u64 ram_bytes, CmosFacts facts) : memory(ram_bytes) {
    const CmosFacts with_memory{memory, facts.cpus, facts.floppies, facts.ps2_mouse, facts.boot_order};
    fill_cmos(rtc, with_memory);
  }
  unsigned operator[](u8 index) {
    rtc.ports().pio_write(0, Width::Byte, index);
    return rtc.ports().pio_read(1, Width::Byte);
  }
  unsigned word(u8 index) { return (*this)[index] | (*this)[static_cast<u8>(index + 1)] << 8; }

  MemoryMap memory;
  StoppedClock clock;
  devices::CmosRtc rtc{{.base_unix_seconds = 1'735'689'600}, clock, IrqLine{}};
};

const MemoryMap kAnyMemory(4 * kMiB);

TEST(CmosLayout, SmallMemory) {
  Cmos cmos(8 * kMiB, {kAnyMemory});
  EXPECT_EQ(cmos.word(0x15), 640u);
  EXPECT_EQ(cmos.word(0x17), 7u * 1024);
  EXPECT_EQ(cmos.word(0x30), 7u * 1024);
  EXPECT_EQ(cmos.word(0x34), 0u);
  EXPECT_EQ(cmos.word(0x5b) | cmos[0x5d] << 16, 0u);
}

TEST(CmosLayout, LargeMemory) {
  Cmos cmos(8 * kGiB, {kAnyMemory});
  const u64 low = cmos.memory.low_ram_end_phys();
  EXPECT_EQ(cmos.word(0x17), 0xffffu);
  EXPECT_EQ(cmos.word(0x34), (low - 16 * kMiB) / (64 * kKiB));
  EXPECT_EQ(cmos.word(0x5b) | cmos[0x5d] << 16, (8 * kGiB - low) / (64 * kKiB));
}

TEST(CmosLayout, DrivesAndBootOrder) {
  Cmos none(8 * kMiB, {kAnyMemory});
  EXPECT_EQ(none[0x10], 0x00u);
  EXPECT_EQ(none[0x14], 0x02u);
  EXPECT_EQ(none[0x3d], 0x12u) << "hard disk, then floppy";
  EXPECT_EQ(none[0x38], 0x30u) << "then CD-ROM";
  Cmos two(8 * kMiB, {.memory = kAnyMemory,
                      .cpus = 4,
                      .floppies = {FloppyType::K1440, FloppyType::K360},
                      .ps2_mouse = true,
                      .boot_order = {BootDevice::Floppy, BootDevice::None, BootDevice::None}});
  EXPECT_EQ(two[0x10], 0x41u);
  EXPECT_EQ(two[0x14], 0x47u);
  EXPECT_EQ(two[0x3d], 0x01u);
  EXPECT_EQ(two[0x5f], 3u);
}

TEST(CmosLayout, ChecksumAndClock) {
  Cmos cmos(512 * kMiB, {.memory = kAnyMemory, .floppies = {FloppyType::K2880, FloppyType::None}});
  unsigned sum = 0;
  for (u8 index = 0x10; index < 0x2e; ++index) sum += cmos[index];
  EXPECT_GT(sum, 0u);
  EXPECT_EQ(cmos[0x2e] << 8 | cmos[0x2f], sum);
  EXPECT_EQ(cmos[0x32], 0x20u) << "the century is the clock's";
  EXPECT_EQ(cmos[0x0d], 0x80u);
}

}  // namespace
}  // namespace reprise::machine
