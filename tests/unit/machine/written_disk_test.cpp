// States of machines whose disks are written through, or to an overlay that is kept: they hold whatever becomes of those files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "machine/plug/drive_words.h"
#include "machine/snapshot/state_file.h"
#include "tests/unit/machine/disk_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;
using Properties = std::vector<DeviceProperty>;

Result<std::vector<u8>> saved(Machine& machine) {
  StateMemorySink sink;
  StateWriter writer(sink);
  TRY(machine.save(writer));
  return std::move(sink.bytes);
}

/// Empty: loaded. Else the sentence.
std::string load(Machine& machine, std::span<const u8> bytes) {
  StateMemorySource source(bytes);
  StateReader reader(source);
  const Result<Done> done = machine.load(reader);
  return done.ok() ? std::string() : done.error().message;
}

std::vector<u8> content(Machine& machine, std::size_t drive) {
  devices::BlockBackend& medium = *machine.disks().attached()[drive].medium;
  std::vector<u8> bytes(medium.bytes());
  EXPECT_EQ(medium.read(0, bytes), BlockStatus::Ok);
  return bytes;
}

class WrittenDisks : public StorageTest {
 protected:
  /// `written`: what is said of where writes go.
  MachineConfig config(const Properties& written, const std::string& driver = "ide-hd") const {
    MachineConfig config;
    DeviceConfig device = {.driver = driver};
    device.set("file", path("image"));
    if (driver != "floppy") device.set("format", "raw");
    for (const auto& [name, value] : written) device.set(name, value);
    config.devices.push_back(device);
    return config;
  }
  Properties overlay() const { return {{"overlay", path("overlay")}}; }
};

TEST_F(WrittenDisks, AStateHasWhatTheyHeld) {
  const boot::TemporaryFile kernel(Guest::image(kSpin));
  const Properties through = {{"write", "yes"}};
  struct Case {
    std::string driver;
    Properties written;
    bool history;
  };
  std::vector<Case> cases = {
      {"ide-hd", through, false}, {"ide-hd", through, true}, {"floppy", through, false}};
  if (have_qemu()) cases.push_back({"virtio-blk", overlay(), false});
  for (const Case& one : cases) {
    SCOPED_TRACE(one.driver + (one.history ? ", with a history" : ""));
    std::vector<u8> image = pattern(1'474'560);
    std::fill_n(image.begin() + 300'000, 500'000, u8{0});
    file("image", image);
    MachineConfig with = config(one.written, one.driver);
    with.history.on = one.history;
    Guest original(kernel, with);
    devices::BlockBackend& disk = *original.machine->disks().attached()[0].medium;
    ASSERT_EQ(disk.write(512 * 100, pattern(8192, 9)), BlockStatus::Ok);
    ASSERT_EQ(disk.discard(512 * 1000, 512 * 10), BlockStatus::Ok);
    ASSERT_EQ(disk.write(512 * 900, pattern(512, 3)), BlockStatus::Ok);
    RunLimits until;
    until.stop_at_retired = 1'000;
    original.machine->run(until);
    const DiskCounters before = original.machine->disks().traffic();
    const auto state = saved(*original.machine);
    ASSERT_TRUE(state.ok()) << state.error().message;
    EXPECT_EQ(original.machine->disks().traffic().reads, before.reads) << "no request of the guest's";
    const std::vector<u8> wanted = content(*original.machine, 0);
    // The run goes on, and its file with it.
    ASSERT_EQ(disk.write(512 * 100, pattern(512, 77)), BlockStatus::Ok);
    ASSERT_EQ(disk.write(512 * 2000, pattern(4096, 78)), BlockStatus::Ok);
    ASSERT_EQ(disk.write(0, pattern(512, 79)), BlockStatus::Ok);
    ASSERT_EQ(disk.flush(), BlockStatus::Ok);
    ASSERT_NE(content(*original.machine, 0), wanted);
    original.machine.reset();

    Guest copy(kernel, config({}, one.driver));
    ASSERT_EQ(load(*copy.machine, state.value()), "");
    EXPECT_EQ(content(*copy.machine, 0), wanted);
    EXPECT_EQ(copy.machine->disks().info()[0].writes, kWritesAreTemporary);
    const std::vector<u8> file_before = content_of_file(path("image"));
    ASSERT_EQ(copy.machine->disks().attached()[0].medium->write(0, pattern(512, 80)), BlockStatus::Ok);
    EXPECT_EQ(content_of_file(path("image")), file_before) << "it is not written any more";
    // It is still to be the same drive.
    if (one.driver != "floppy") {
      MachineConfig other = config({}, one.driver);
      other.devices[0].set("serial", "OTHER");
      EXPECT_NE(load(*Guest(kernel, other).machine, state.value()).find("serial"), std::string::npos);
    }
    std::filesystem::remove(path("overlay"));
  }
}

TEST_F(WrittenDisks, ARunGoesOnFromItsStateAsItWouldHave) {
  std::vector<u8> image = pattern(256 * 1024);
  const boot::TemporaryFile kernel(Guest::image(
      kCli + out8(0x3f6, 2) + read_sector(3) + write_sector(4) + read_sector(5) + write_sector(3) +
      read_sector(4) + write_sector(6) + read_sector(3) + read_sector(6) + kPowerOff));
  std::vector<Properties> kinds = {{{"write", "yes"}}};
  if (have_qemu()) kinds.push_back(overlay());
  for (const Properties& kind : kinds) {
    for (const u64 at : {200u, 1'000u, 1'800u, 2'400u}) {
      SCOPED_TRACE(fmt::format("{} at {}", kind[0].name, at));
      file("image", image);
      Guest original(kernel, config(kind));
      RunLimits until;
      until.stop_at_retired = at;
      until.hash_every_retired = 100;
      ASSERT_EQ(original.run(until).reason, ExitReason::StopAt);
      const std::size_t printed = original.com1.text.size();
      const auto state = saved(*original.machine);
      ASSERT_TRUE(state.ok()) << state.error().message;
      until.stop_at_retired.reset();
      const RunResult wanted = original.run(until);
      ASSERT_EQ(wanted.reason, ExitReason::PowerOff);
      original.machine.reset();

      Guest copy(kernel, config({}));
      ASSERT_EQ(load(*copy.machine, state.value()), "");
      const RunResult found = copy.run(until);
      EXPECT_EQ(found.reason, wanted.reason);
      EXPECT_EQ(found.retired, wanted.retired);
      EXPECT_EQ(found.state_hash, wanted.state_hash);
      EXPECT_EQ(copy.com1.text, original.com1.text.substr(printed));
      ASSERT_FALSE(found.hashes.empty());
      for (std::size_t i = 1; i <= found.hashes.size(); ++i)
        EXPECT_EQ(found.hashes[found.hashes.size() - i].state_hash,
                  wanted.hashes[wanted.hashes.size() - i].state_hash);
      std::filesystem::remove(path("overlay"));
    }
  }
}

TEST_F(WrittenDisks, WhatTheHostCannotReadIsSaidAndNoAnswerToTheGuest) {
  file("image", pattern(1 << 20));
  Guest guest(boot::TemporaryFile(Guest::image(kSpin)), config({{"write", "yes"}}));
  ASSERT_EQ(truncate(path("image").c_str(), 4096), 0);
  const auto state = saved(*guest.machine);
  ASSERT_FALSE(state.ok());
  EXPECT_NE(state.error().message.find("disk0 holds at byte"), std::string::npos) << state.error().message;
  EXPECT_TRUE(guest.machine->recorder().events().empty());
}

TEST(DriveWords, SayNoMoreWhereWritesGo) {
  const auto expect = [](const char* word, const char* wanted) {
    EXPECT_EQ(without_written_files(word), wanted);
  };
  expect("--disk=a.img,write=yes", "--disk=a.img");
  expect("--disk=a,,write=yes.img,overlay=o,,1,bus=ahci", "--disk=a,,write=yes.img,bus=ahci");
  expect("--floppy=f,write=on", "--floppy=f");
  expect("--device=virtio-blk,file=a,write=yes,serial=x,,y", "--device=virtio-blk,file=a,serial=x,,y");
  expect("--device=virtio-rng,overlay=o", "--device=virtio-rng,overlay=o");
  expect("--append=a,write=yes", "--append=a,write=yes");
  expect("a,write=yes", "a,write=yes");
  expect("--no-reboot", "--no-reboot");
}

}  // namespace
}  // namespace reprise::machine
