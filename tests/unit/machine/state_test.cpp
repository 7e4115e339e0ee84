// Saved states: what comes back, what is refused, and what a file that somebody made up may do (nothing).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "machine/snapshot/disk_state.h"
#include "machine/snapshot/ram_state.h"
#include "machine/snapshot/state_file.h"
#include "machine/storage/overlay_image.h"
#include "tests/unit/machine/small_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

std::vector<u8> saved(Machine& machine) {
  StateMemorySink sink;
  StateWriter writer(sink);
  const Result<Done> done = machine.save(writer);
  EXPECT_TRUE(done.ok()) << done.error().message;
  return std::move(sink.bytes);
}

/// Empty: loaded. Else the sentence.
std::string load(Machine& machine, std::span<const u8> bytes) {
  StateMemorySource source(bytes);
  StateReader reader(source);
  const Result<Done> done = machine.load(reader);
  return done.ok() ? std::string() : done.error().message;
}

struct Section {
  std::string name;
  std::vector<u8> bytes;
};
constexpr const char* kSections[] = {"media", "manifest", "machine", "ram", "disks"};

std::vector<Section> sections_of(std::span<const u8> state) {
  StateMemorySource source(state);
  StateReader reader(source);
  std::vector<Section> sections;
  for (const char* name : kSections) {
    reader.begin(name);
    sections.push_back({name, reader.rest(u64{1} << 30)});
  }
  EXPECT_TRUE(reader.ok());
  return sections;
}

std::vector<u8> state_of(const std::vector<Section>& sections) {
  StateMemorySink sink;
  StateWriter writer(sink);
  for (const Section& section : sections) {
    writer.begin(section.name);
    writer.bytes(section.bytes);
    writer.end();
  }
  return std::move(sink.bytes);
}

// The PIT in rate mode, the RTC's time, memory that changes.
const Code kBusy = out8(0x43, 0x34) + out8(0x40, 0x00) + out8(0x40, 0x10) + out8(0x70, 0x00) +
                   Code{0xe4, 0x71, 0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xe4,
                        0x40, 0x01, 0x05, 0x04, 0x00, 0x20, 0x00, 0xeb, 0xee};

RunLimits until(u64 instructions) {
  RunLimits limits;
  limits.stop_at_retired = instructions;
  limits.hash_every_retired = 100'000;
  return limits;
}

TEST(State, SavedLoadedAndRunEqualsRun) {
  const boot::TemporaryFile file(Guest::image(kBusy));
  Guest original(file, {});
  original.run(until(1'050'000));
  const std::vector<u8> state = saved(*original.machine);
  const RunResult wanted = original.run(until(2'000'000));
  // One that was never saved.
  EXPECT_EQ(Guest(file, {}).run(until(2'000'000)).state_hash, wanted.state_hash);
  // One that has run already, so that pages must become zero again.
  for (const u64 before : {0, 70'000, 3'000'000}) {
    Guest copy(file, {});
    if (before != 0) copy.run(until(before));
    ASSERT_EQ(load(*copy.machine, state), "");
    EXPECT_EQ(copy.machine->retired(), 1'050'000u);
    EXPECT_EQ(saved(*copy.machine), state);
    const RunResult result = copy.run(until(2'000'000));
    EXPECT_EQ(result.state_hash, wanted.state_hash);
    ASSERT_GE(result.hashes.size(), 10u);
    EXPECT_EQ(result.hashes.back().state_hash, wanted.hashes.back().state_hash);
  }
}

TEST(State, WhatWaitsIsSaved) {
  // Nobody reads COM1, so that input waits outside of it.
  const boot::TemporaryFile file(Guest::image(print("Kernel panic - not syncing") + kSpin));
  Guest original(file, {});
  original.machine->inbox().post({"com1", BytesEvent{std::vector<u8>(100'000, 'x')}});
  original.run(until(10'000));
  const std::vector<u8> state = saved(*original.machine);
  Guest copy(file, {});
  ASSERT_EQ(load(*copy.machine, state), "");
  EXPECT_EQ(saved(*copy.machine), state);
  EXPECT_GT(state.size(), 100'000u - 20'000u);
}

TEST(State, ASleepingMachineIsSaved) {
  const boot::TemporaryFile file(Guest::image(sleeper(0x400)));
  Guest original(file, {});
  RunLimits limits;
  limits.virtual_timeout_ns = 500'000'000;
  EXPECT_EQ(original.run(limits).reason, ExitReason::Timeout);
  EXPECT_TRUE(original.machine->pc().asleep());
  const std::vector<u8> state = saved(*original.machine);
  const RunResult wanted = original.run();
  EXPECT_EQ(wanted.reason, ExitReason::PowerOff);
  Guest copy(file, {});
  ASSERT_EQ(load(*copy.machine, state), "");
  EXPECT_TRUE(copy.machine->pc().asleep());
  const RunResult result = copy.run();
  EXPECT_EQ(result.reason, ExitReason::PowerOff);
  EXPECT_EQ(copy.com1.text, "W");
  EXPECT_EQ(result.state_hash, wanted.state_hash);
  EXPECT_EQ(result.virtual_ns, wanted.virtual_ns);
}

// CR4.OSFXSR and CR0.TS, which have nothing to do with paging, set behind everything that has.
TEST(State, ControlBitsThatPagingDoesNotKnow) {
  const Code code = Code{0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x02, 0x00, 0x00, 0x0f, 0x22,
                         0xe0, 0x0f, 0x20, 0xc0, 0x83, 0xc8, 0x08, 0x0f, 0x22, 0xc0} +
                    kSpin;
  const boot::TemporaryFile file(Guest::image(code));
  Guest original(file, {});
  original.run(until(1'000));
  const std::vector<u8> state = saved(*original.machine);
  Guest copy(file, {});
  EXPECT_EQ(load(*copy.machine, state), "");
  EXPECT_EQ(copy.run(until(2'000)).state_hash, original.run(until(2'000)).state_hash);
}

TEST(State, RefusesWhatIsNoneOrAnotherMachines) {
  const boot::TemporaryFile file(Guest::image(kBusy));
  Guest original(file, {});
  original.run(until(200'000));
  const std::vector<u8> state = saved(*original.machine);
  const u64 hash = original.machine->state_hash();
  // Nothing has changed after these.
  EXPECT_NE(load(*original.machine, {}).find("not a state"), std::string::npos);
  std::vector<u8> other = state;
  other[3] ^= 1;
  EXPECT_NE(load(*original.machine, other).find("not a state"), std::string::npos);
  other = state;
  other[14] += 1;
  EXPECT_NE(load(*original.machine, other).find(fmt::format("format {}", kStateFormat)), std::string::npos);
  MachineConfig config;
  config.cpu.vendor = cpu::kVendorAmd;
  const std::string message = load(*Guest(file, config).machine, state);
  EXPECT_NE(message.find("'cpuid "), std::string::npos) << message;
  config = {};
  config.devices.push_back({.driver = "virtio-rng"});
  EXPECT_NE(load(*Guest(file, config).machine, state).find("another machine"), std::string::npos);
  EXPECT_EQ(original.machine->state_hash(), hash);
  EXPECT_EQ(original.run(until(400'000)).reason, ExitReason::StopAt);
}

TEST(State, ACopyWithItsOwnSeedGoesAnotherWay) {
  const boot::TemporaryFile file(Guest::image(kBusy));
  Guest original(file, {});
  original.run(until(200'000));
  const std::vector<u8> state = saved(*original.machine);
  MachineConfig config;
  config.seed = 2;
  std::set<u64> hashes;
  for (int i = 0; i < 2; ++i) {
    Guest copy(file, config);
    EXPECT_EQ(load(*copy.machine, state), "");
    hashes.insert(copy.machine->state_hash());
  }
  EXPECT_EQ(hashes.size(), 1u) << "two copies with one seed";
  EXPECT_FALSE(hashes.contains(original.machine->state_hash()));
}

TEST(State, RefusesWhatFollowsItsEnd) {
  const boot::TemporaryFile file(Guest::image(kBusy));
  Guest original(file, {});
  original.run(until(200'000));
  std::vector<u8> state = saved(*original.machine);
  state.push_back(0);
  Guest copy(file, {});
  EXPECT_NE(load(*copy.machine, state).find("follows its end"), std::string::npos);
  EXPECT_EQ(copy.run(until(400'000)).reason, ExitReason::HostError);
}

TEST(State, RefusesDamage) {
  const boot::TemporaryFile file(Guest::image(kBusy));
  Guest original(file, {});
  original.run(until(200'000));
  const std::vector<u8> state = saved(*original.machine);
  std::minstd_rand random(5);
  for (int i = 0; i < 60; ++i) {
    Guest copy(file, {});
    std::vector<u8> bad = state;
    if (i % 2 == 0)
      bad.resize(random() % bad.size());
    else
      bad[random() % bad.size()] ^= static_cast<u8>(1u << random() % 8);
    const std::string message = load(*copy.machine, bad);
    ASSERT_NE(message, "") << i;
    EXPECT_EQ(std::ranges::count(message, '\n'), 0);
    // It is as it was, or refuses to run.
    const RunResult result = copy.run(until(400'000));
    if (result.reason == ExitReason::HostError)
      EXPECT_NE(result.message, "");
    else
      EXPECT_EQ(result.state_hash, Guest(file, {}).run(until(400'000)).state_hash);
  }
}

constexpr unsigned kCases = 400;

class StateOfDisks : public StorageTest {
 protected:
  MachineConfig config() const {
    MachineConfig config;
    const auto add = [&](const std::string& name, const std::string& driver, const std::string& bus = {}) {
      if (!std::filesystem::exists(path(name))) file(name, pattern(1 << 20));
      DeviceConfig device = {.driver = driver};
      device.set("file", path(name));
      if (!bus.empty()) device.set("bus", bus);
      if (!driver.ends_with("-cd") && driver != "floppy") device.set("format", "raw");
      config.devices.push_back(device);
    };
    add("ide", "ide-hd");
    add("cd", "ide-cd");
    add("ahci", "ide-hd", "ahci");
    add("virtio", "virtio-blk");
    add("floppy", "floppy");
    add("scsi", "scsi-hd");
    add("scsi-cd", "scsi-cd");
    for (const char* driver : {"virtio-rng", "i6300esb", "isa-debug-exit", "pc-testdev", "virtio-keyboard",
                               "virtio-mouse", "virtio-tablet", "AC97"})
      config.devices.push_back({.driver = driver});
    return config;
  }
};

TEST_F(StateOfDisks, ContentAndMedia) {
  const boot::TemporaryFile kernel(Guest::image(kBusy));
  Guest original(kernel, config());
  devices::BlockBackend& disk = *original.machine->disks().attached()[3].medium;
  const std::vector<u8> written = pattern(8192, 9);
  ASSERT_EQ(disk.write(512 * 100, written), devices::BlockStatus::Ok);
  ASSERT_EQ(disk.discard(512 * 1000, 512 * 10), devices::BlockStatus::Ok);
  const std::vector<u8> state = saved(*original.machine);

  Guest copy(kernel, config());
  devices::BlockBackend& other = *copy.machine->disks().attached()[3].medium;
  ASSERT_EQ(other.write(0, pattern(4096, 77)), devices::BlockStatus::Ok);
  ASSERT_EQ(load(*copy.machine, state), "");
  std::vector<u8> wanted(disk.bytes()), found(disk.bytes());
  ASSERT_EQ(disk.read(0, wanted), devices::BlockStatus::Ok);
  ASSERT_EQ(other.read(0, found), devices::BlockStatus::Ok);
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(saved(*copy.machine), state);

  // Another disc in the drive, another image, the image used meanwhile, writes that are not ours to keep.
  MachineConfig changed = config();
  changed.devices[1].set("file", file("other-cd", pattern(1 << 20, 4)));
  std::string message = load(*Guest(kernel, changed).machine, state);
  EXPECT_NE(message.find("The image '" + path("other-cd") + "' of cdrom0 is not the one"), std::string::npos)
      << message;
  changed = config();
  changed.devices[0].set("serial", "OTHER");
  message = load(*Guest(kernel, changed).machine, state);
  EXPECT_NE(message.find("serial OTHER"), std::string::npos) << message;
  changed = config();
  changed.devices[3].place = 9;
  EXPECT_NE(load(*Guest(kernel, changed).machine, state).find("slot 9"), std::string::npos);
  changed = config();
  changed.cpu.tlb = mmu::TlbGeometry::of(64);
  EXPECT_NE(load(*Guest(kernel, changed).machine, state).find("tlb sets"), std::string::npos);
  changed = config();
  changed.devices[1].properties.clear();
  EXPECT_NE(load(*Guest(kernel, changed).machine, state).find("drive cdrom0"), std::string::npos);
  changed = config();
  changed.devices[3].set("file", file("used", pattern(1 << 20, 5)));
  EXPECT_NE(load(*Guest(kernel, changed).machine, state).find("of disk2 is not the one"), std::string::npos);
  changed = config();
  changed.devices[3].set("write", "yes");
  original.machine.reset();
  copy.machine.reset();
  EXPECT_NE(load(*Guest(kernel, changed).machine, state).find("where this one has 'drive disk2"),
            std::string::npos)
      << "whoever loads it writes nobody's file";
}

TEST_F(StateOfDisks, MediaThatWereChanged) {
  const boot::TemporaryFile kernel(Guest::image(kBusy));
  Guest original(kernel, config());
  const std::string other = file("other.iso", pattern(64 * 2048, 4));
  const auto change = [&](const char* drive, const std::string& to) {
    DiskConfig wanted;
    wanted.path = to;
    ASSERT_TRUE(original.machine->media_changes().ask(drive, wanted, TrayLock::Override).ok());
  };
  change("cdrom0", other);
  change("floppy0", "");
  original.run(until(1'000));
  const std::vector<u8> state = saved(*original.machine);
  const u64 hash = original.machine->state_hash();

  Guest copy(kernel, config());
  ASSERT_EQ(load(*copy.machine, state), "");
  EXPECT_EQ(copy.machine->disks().info()[1].file, other);
  EXPECT_EQ(copy.machine->disks().info()[4].file, "");
  EXPECT_EQ(copy.machine->state_hash(), hash);
  EXPECT_EQ(saved(*copy.machine), state) << "a state of the copy names its media, too";
  EXPECT_EQ(copy.run(until(400'000)).state_hash, original.run(until(400'000)).state_hash);

  // Given by hand.
  MachineConfig changed = config();
  changed.devices[1].set("file", file("the-same.iso", pattern(64 * 2048, 4)));
  changed.devices[4].properties.clear();
  Guest by_hand(kernel, changed);
  ASSERT_EQ(load(*by_hand.machine, state), "");
  EXPECT_EQ(by_hand.machine->disks().info()[1].file, path("the-same.iso"));

  // What its device says need not be there any more.
  changed = config();
  changed.devices[1].set("file", path("gone.iso"));
  changed.media = {{"cdrom0", other}, {"floppy0", ""}};
  Guest from_the_state(kernel, changed);
  ASSERT_EQ(load(*from_the_state.machine, state), "");
  EXPECT_EQ(from_the_state.machine->disks().info()[1].file, other);
  EXPECT_EQ(from_the_state.machine->disks().info()[4].file, "");
  EXPECT_EQ(saved(*from_the_state.machine), state);

  // Gone, or another one meanwhile.
  file("other.iso", pattern(64 * 2048, 5));
  EXPECT_NE(load(*Guest(kernel, config()).machine, state).find("'" + other + "' of cdrom0 is not the one"),
            std::string::npos);
  std::filesystem::remove(other);
  const std::string message = load(*Guest(kernel, config()).machine, state);
  EXPECT_NE(message.find("'" + other + "'"), std::string::npos) << message;
}

TEST_F(StateOfDisks, ErrorsOfTheHostAreAnswersInTheLog) {
  const boot::TemporaryFile kernel(Guest::image(kBusy));
  Guest guest(kernel, config());
  guest.run(until(1'000));
  ASSERT_EQ(truncate(path("ahci").c_str(), 4096), 0);
  std::vector<u8> got(512);
  devices::BlockBackend& disk = *guest.machine->disks().attached()[2].medium;
  EXPECT_EQ(disk.read(512 * 2000, got), devices::BlockStatus::ReadError);
  EXPECT_EQ(disk.read(1 << 20, got), devices::BlockStatus::OutOfRange);
  const std::vector<LoggedEvent> log = guest.machine->recorder().events();
  ASSERT_EQ(log.size(), 1u) << "what follows from image and request is no answer";
  EXPECT_EQ(log[0].sink, "disk1");
  EXPECT_EQ(log[0].at.retired, 1'000u);
  EXPECT_EQ(std::get<AnswerEvent>(log[0].event).question, "read 512 at 1024000");
  EXPECT_EQ(std::get<AnswerEvent>(log[0].event).answer,
            std::vector<u8>{static_cast<u8>(devices::BlockStatus::ReadError)});
}

// Whatever a file says, with the right digests: it is refused in a sentence, or the machine runs.
TEST_F(StateOfDisks, MadeUpStatesDoNoHarm) {
  const boot::TemporaryFile kernel(Guest::image(kBusy));
  Guest original(kernel, config());
  ASSERT_TRUE(original.machine->media_changes().ask("floppy0", {}, TrayLock::Override).ok());
  original.run(until(300'000));
  const std::vector<Section> sections = sections_of(saved(*original.machine));
  std::minstd_rand random(11);
  unsigned loaded = 0, refused = 0;
  for (unsigned i = 0; i < kCases; ++i) {
    std::vector<Section> changed = sections;
    // Most in what devices say of themselves.
    const bool of_media = i % 8 == 4;
    Section& section = changed[i % 8 == 0 ? 3 + i / 8 % 2 : of_media ? 0 : 2];
    for (unsigned k = 1 + random() % 4; k != 0; --k) {
      static constexpr u64 kValues[] = {0,           1,       0xff,         0x80,
                                        0xffff'ffff, ~u64{0}, u64{1} << 63, 0x7fff'ffff'ffff'ffff};
      const u64 value = random() % 4 == 0 ? random() : kValues[random() % std::size(kValues)];
      const std::size_t width = std::size_t{1} << random() % 4;
      // Beyond the large plain buffers at the end the interesting bytes are early.
      const std::size_t at = random() % 2 == 0 ? random() % section.bytes.size()
                                               : random() % std::min<std::size_t>(section.bytes.size(), 6000);
      for (std::size_t b = 0; b < width && at + b < section.bytes.size(); ++b)
        section.bytes[at + b] = static_cast<u8>(value >> (8 * b));
    }
    Guest copy(kernel, config());
    const std::string message = load(*copy.machine, state_of(changed));
    RunLimits limits = until(copy.machine->retired() + 50'000);
    limits.wall_timeout_s = 10;
    limits.virtual_timeout_ns = copy.machine->virtual_ns() + 50'000'000;
    const RunResult result = copy.machine->run(limits);
    if (message.empty()) {
      ++loaded;
      EXPECT_NE(result.reason, ExitReason::WallTimeout) << "case " << i;
      EXPECT_NE(copy.machine->dump(), "");
    } else {
      ++refused;
      EXPECT_EQ(std::ranges::count(message, '\n'), 0);
      // Media that are none are found before anything of the machine changes.
      EXPECT_TRUE(result.reason == ExitReason::HostError || of_media) << message;
    }
  }
  EXPECT_GT(loaded, kCases / 10);
  EXPECT_GT(refused, kCases / 50);
}

// Directly behind the last page, where no gap gives it away.
TEST(StateOfRam, APageBeyondTheEndIsRefused) {
  auto ram = mmu::Ram::create(16 * kPageBytes).take();
  for (const u64 first : {0u, 15u, 16u}) {
    StateMemorySink sink;
    StateWriter writer(sink);
    const std::vector<u8> page(kPageBytes, 0x5a);
    writer.begin("ram");
    for (u64 number = first; number < 18; ++number) {
      writer.number(number);
      writer.bytes(page);
    }
    writer.number(~u64{0});
    writer.end();
    StateMemorySource source(sink.bytes);
    StateReader reader(source);
    load_ram(reader, *ram);
    EXPECT_FALSE(reader.ok()) << first;
  }
}

TEST(StateOfRam, PagesComeBack) {
  auto ram = mmu::Ram::create(1 << 20).take();
  const auto put = [](mmu::Ram& into, u64 offset, u8 value) {
    into.mark_written(offset);
    into.host()[offset] = value;
  };
  put(*ram, 5000, 1);
  put(*ram, 90'000, 2);
  put(*ram, 100'000, 0);
  put(*ram, (1 << 20) - 1, 3);
  StateMemorySink sink;
  StateWriter writer(sink);
  save_ram(writer, *ram);
  EXPECT_LT(sink.bytes.size(), 4 * kPageBytes);
  auto copy = mmu::Ram::create(1 << 20).take();
  put(*copy, 200'000, 9);
  put(*copy, 90'000, 2);
  const u64 epoch = copy->end_epoch();
  StateMemorySource source(sink.bytes);
  StateReader reader(source);
  load_ram(reader, *copy);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(std::memcmp(copy->host(), ram->host(), ram->bytes()), 0);
  // Exactly the pages that differed are marked.
  std::vector<u64> pages;
  copy->for_each_written_since(epoch, [&](u64 page) { pages.push_back(page); });
  EXPECT_EQ(pages, (std::vector<u64>{1, 48, 255}));
  auto small = mmu::Ram::create(1 << 19).take();
  StateMemorySource again(sink.bytes);
  StateReader refusing(again);
  load_ram(refusing, *small);
  EXPECT_FALSE(refusing.ok());
}

}  // namespace
}  // namespace reprise::machine
