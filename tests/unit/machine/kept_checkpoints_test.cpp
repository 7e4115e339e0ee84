// Checkpoints that are kept beside a recording: a replay from each is the rest of the one from the beginning, and a file that
// somebody damaged, or made up, does no harm.
#include "machine/history/kept_checkpoints.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "machine/begins_at.h"
#include "machine/checkpoint_keeper.h"
#include "machine/outside/sink_names.h"
#include "machine/record/recording.h"
#include "machine/storage/run_files.h"
#include "tests/unit/machine/disk_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

constexpr u64 kEvery = 20'000;
const std::string kProgram = "reprise test";

/// Counts, and writes each character that it is given to the disk, reads and prints it, until that is a q.
Code disk_server() {
  const Code count = {0xff, 0x05, 0x00, 0x00, 0x30, 0x00};  // inc dword [300000h]
  // mov dx, 3fdh; in al, dx; test al, 1; jz (behind `count`)
  const Code poll = {0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf1};
  // mov dx, 3f8h; in al, dx; mov [kBuffer], al; cmp al, 'q'
  const Code take = {0x66, 0xba, 0xf8, 0x03, 0xec, 0xa2, 0x00, 0x00, 0x20, 0x00, 0x3c, 'q'};
  const Code serve = write_sector(4) + read_sector(4);
  const std::size_t rest = serve.size() + 5;           // with the jump back
  Code loop = count + poll + take + Code{0x0f, 0x84};  // je over the rest
  const auto distance = [&](u64 bytes) {
    for (unsigned i = 0; i < 4; ++i) loop.push_back(static_cast<u8>(bytes >> (8 * i)));
  };
  distance(rest);
  loop = loop + serve + Code{0xe9};
  distance(0 - (loop.size() + 4));
  return kCli + out8(0x3f6, 2) + loop + write_sector(5) + kPowerOff;
}

class KeptCheckpoints : public StorageTest {
 protected:
  KeptCheckpoints() {
    file("a.img", pattern(64 * 1024));
    use("yes");
  }
  /// The disk's write=.
  void use(const std::string& write) {
    config_.devices = {{.driver = "ide-hd", .properties = {{"file", path("a.img")}, {"write", write}}}};
  }
  std::string recording() const { return path("recording"); }

  /// Records a run that is given `text`, a character now and then; with `keep` it keeps checkpoints.
  void record(const std::string& text, bool keep = false,
              const std::function<void(Machine& machine, std::size_t number)>& at_each = nullptr) {
    Guest guest(kernel_, config_);
    Machine& machine = *guest.machine;
    ASSERT_TRUE(machine.recorder().write_to(open_fd(file("recording", {}), O_RDWR), recording()).ok());
    std::vector<std::unique_ptr<BeginsAt>> typed;
    for (std::size_t i = 0; i < text.size(); ++i)
      typed.push_back(std::make_unique<BeginsAt>(machine, Position{45'000 + i * 37'000}, [&, i] {
        machine.inbox().post({std::string(kCom1Sink), BytesEvent{{static_cast<u8>(text[i])}}});
        if (at_each) at_each(machine, i);
      }));
    std::optional<CheckpointKeeper> keeper;
    if (keep) keeper.emplace(machine, wanted(), [this](const std::string& why) { said_ = why; });
    wanted_ = guest.machine->run(kADay);
    EXPECT_EQ(wanted_.reason, ExitReason::PowerOff) << wanted_.message;
    machine.end_recording(wanted_);
    printed_ = guest.com1.text;
    kept_ = keeper ? keeper->kept() : 0;
    typed.clear();
  }
  CheckpointKeeper::Wanted wanted() const { return {recording(), kProgram, kEvery}; }

  std::unique_ptr<Replay> prepare(EngineKind engine, std::optional<Guest>& guest, bool history = false) {
    auto recording = Recording::open(this->recording()).take();
    MachineConfig config = config_;
    config.replayed = true;
    config.engine = engine;
    config.history = {.on = history, .bytes = 24 << 20, .interval_instructions = 20'000};
    config.files = std::make_shared<RunFiles>(recording->run().folder, recording->take_content());
    guest.emplace(kernel_, config);
    return std::make_unique<Replay>(std::move(recording));
  }
  static RunLimits with_hashes() {
    RunLimits limits = kADay;
    limits.attended = true;
    limits.hash_every_retired = kEvery / 2;
    return limits;
  }
  /// A replay from the beginning, which keeps checkpoints if that is wanted.
  RunResult replay(EngineKind engine, bool keep) {
    std::optional<Guest> guest;
    std::unique_ptr<Replay> replay = prepare(engine, guest);
    const Result<Done> followed = guest->machine->follow(std::move(replay));
    EXPECT_TRUE(followed.ok()) << followed.error().message;
    std::optional<CheckpointKeeper> keeper;
    if (keep) keeper.emplace(*guest->machine, wanted(), [this](const std::string& why) { said_ = why; });
    RunResult result = guest->machine->run(with_hashes());
    kept_ = keeper ? keeper->kept() : 0;
    return result;
  }
  std::optional<KeptCheckpoint> find(u64 retired, std::string& passed_by) const {
    return find_checkpoint(recording(), kProgram, {retired, 0, 0}, passed_by);
  }
  /// A replay from each of the checkpoints is the rest of `whole`.
  void check_each(EngineKind engine, const RunResult& whole) {
    u64 checked = 0;
    for (const auto& entry : fs::directory_iterator(checkpoints_folder(recording()))) {
      const u64 retired = std::stoull(entry.path().filename().string().substr(1));
      std::string passed_by;
      std::optional<KeptCheckpoint> kept = find(retired + kEvery / 3, passed_by);
      ASSERT_TRUE(kept && passed_by.empty()) << passed_by;
      ASSERT_EQ(kept->place.at.retired, retired);
      std::optional<Guest> guest;
      std::unique_ptr<Replay> replay = prepare(engine, guest);
      const Result<Done> followed = guest->machine->follow_from(std::move(replay), *kept);
      ASSERT_TRUE(followed.ok()) << followed.error().message;
      EXPECT_EQ(guest->machine->position(), kept->place.at);
      const RunResult result = guest->machine->run(with_hashes());
      check_rest(result, whole, retired);
      EXPECT_TRUE(printed_.ends_with(guest->com1.text));
      EXPECT_EQ(guest->com1.text == printed_, retired < 45'000) << retired;
      ++checked;
    }
    EXPECT_EQ(checked, kept_);
  }
  static void check_rest(const RunResult& result, const RunResult& whole, u64 from) {
    EXPECT_EQ(result.reason, whole.reason) << from << ": " << result.message << result.details;
    EXPECT_EQ(result.exit_code, whole.exit_code);
    EXPECT_EQ(result.position, whole.position);
    EXPECT_EQ(result.virtual_ns, whole.virtual_ns);
    EXPECT_EQ(result.state_hash, whole.state_hash) << from;
    EXPECT_EQ(result.disks[0].read.digest, whole.disks[0].read.digest) << "what was read";
    std::vector<HashPoint> rest;
    for (const HashPoint& point : whole.hashes)
      if (point.retired > from) rest.push_back(point);
    ASSERT_EQ(result.hashes.size(), rest.size()) << from;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(result.hashes[i].retired, rest[i].retired);
      EXPECT_EQ(result.hashes[i].state_hash, rest[i].state_hash) << from;
    }
  }

  MachineConfig config_;
  const boot::TemporaryFile kernel_{Guest::image(disk_server())};
  RunResult wanted_;
  std::string printed_;
  std::string said_;
  u64 kept_ = 0;
};

TEST_F(KeptCheckpoints, AReplayFromEachIsTheRestOfTheWhole) {
  for (const std::string write : {"yes", "no"}) {
    use(write);
    fs::remove_all(checkpoints_folder(recording()));
    record("abcdefq");
    for (const EngineKind engine : {EngineKind::Interp, EngineKind::Jit}) {
      const RunResult plain = replay(engine, false);
      const RunResult whole = replay(engine, true);
      EXPECT_EQ(said_, "");
      EXPECT_GT(kept_, 8u);
      EXPECT_EQ(whole.state_hash, wanted_.state_hash) << whole.message << whole.details;
      check_rest(whole, plain, 0);
      check_each(engine, whole);
      // Of the other engine, too.
      check_each(engine == EngineKind::Jit ? EngineKind::Interp : EngineKind::Jit, whole);
    }
  }
}

TEST_F(KeptCheckpoints, ARunKeepsWhatItsReplayWould) {
  use("no");
  record("abcq", true);
  EXPECT_EQ(said_, "");
  const u64 kept = kept_;
  EXPECT_GT(kept, 5u);
  const RunResult whole = replay(EngineKind::Interp, false);
  kept_ = kept;
  check_each(EngineKind::Jit, whole);
}

TEST_F(KeptCheckpoints, ARunThatWritesItsImageKeepsNone) {
  record("abcq", true);
  EXPECT_EQ(kept_, 0u);
  EXPECT_TRUE(said_.starts_with(
      "from @20000 on no checkpoints are kept: what the guest writes to disk0 goes to a file"))
      << said_;
}

TEST_F(KeptCheckpoints, AHistoryBeginsThere) {
  record("abcq");
  replay(EngineKind::Jit, true);
  std::string passed_by;
  std::optional<KeptCheckpoint> kept = find(100'000, passed_by);
  ASSERT_TRUE(kept);
  std::optional<Guest> guest;
  std::unique_ptr<Replay> replay = prepare(EngineKind::Jit, guest, true);
  ASSERT_TRUE(guest->machine->follow_from(std::move(replay), *kept).ok());
  RunLimits limits = with_hashes();
  limits.stop_at_retired = 130'000;
  EXPECT_EQ(guest->machine->run(limits).reason, ExitReason::StopAt);
  ASSERT_FALSE(guest->machine->checkpoints().empty());
  EXPECT_EQ(guest->machine->checkpoints().first().at.retired, 100'000u);
}

TEST_F(KeptCheckpoints, DrivesHaveWhatWasPutIn) {
  use("no");
  config_.devices.push_back(
      {.driver = "ide-cd", .properties = {{"file", file("first.iso", pattern(16 * 2048))}}});
  config_.devices.push_back(
      {.driver = "floppy", .properties = {{"file", file("first.flp", pattern(1440 * 1024))}}});
  const std::string second = file("second.iso", pattern(8 * 2048, 2));
  const std::string other = file("other.flp", pattern(720 * 1024, 3));
  record("abcdq", false, [&](Machine& machine, std::size_t i) {
    const auto change = [&](std::string_view drive, const std::string& name, bool write = false) {
      DiskConfig disk;
      disk.path = name;
      disk.write_through = write;
      EXPECT_TRUE(machine.media_changes().ask(drive, disk, TrayLock::Override).ok());
    };
    if (i == 0) change("cdrom0", second);
    if (i == 1) change("floppy0", "");
    if (i == 2) change("floppy0", other, true);
    if (i == 3) change("floppy0", "");
  });
  const RunResult whole = replay(EngineKind::Jit, true);
  EXPECT_TRUE(said_.ends_with("a medium that the guest may have written to is no longer in its drive"))
      << said_;
  EXPECT_GT(kept_, 5u);
  check_each(EngineKind::Jit, whole);
  std::string passed_by;
  for (const u64 at : {40'000, 60'000, 100'000, 140'000}) {
    std::optional<KeptCheckpoint> kept = find(at, passed_by);
    ASSERT_TRUE(kept && kept->place.at.retired == at);
    std::optional<Guest> guest;
    std::unique_ptr<Replay> replay = prepare(EngineKind::Jit, guest);
    ASSERT_TRUE(guest->machine->follow_from(std::move(replay), *kept).ok());
    const std::vector<DiskInfo> disks = guest->machine->disks().info();
    EXPECT_EQ(disks[1].file, at < 45'000 ? path("first.iso") : second);
    EXPECT_EQ(disks[2].file, at < 82'000 ? path("first.flp") : at < 119'000 ? "" : other);
    EXPECT_EQ(guest->machine->pc().drives()[1].cdrom->has_disc(), true);
  }
}

TEST_F(KeptCheckpoints, OthersArePassedBy) {
  use("no");
  record("abcq");
  std::string passed_by;
  EXPECT_FALSE(find(100'000, passed_by));
  EXPECT_EQ(passed_by, "") << "there is no folder";
  replay(EngineKind::Jit, true);
  EXPECT_FALSE(find(kEvery - 1, passed_by));
  EXPECT_EQ(passed_by, "") << "all are behind";
  EXPECT_FALSE(find_checkpoint(recording(), "another", {100'000, 0, 0}, passed_by));
  EXPECT_TRUE(passed_by.ends_with("@100000' was kept by another program.")) << passed_by;
  // The latest is damaged: the one before it is taken.
  fs::resize_file(checkpoint_path(recording(), {100'000, 0, 0}), 5000);
  std::optional<KeptCheckpoint> kept = find(100'000, passed_by);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->place.at.retired, 80'000u);
  EXPECT_TRUE(passed_by.ends_with("ends too early.")) << passed_by;
  // Names that are none, and one that is wrong.
  file("recording.checkpoints/@12x", {1});
  fs::copy_file(checkpoint_path(recording(), {80'000, 0, 0}), checkpoint_path(recording(), {30'000, 0, 0}));
  kept = find(39'000, passed_by);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->place.at.retired, 20'000u);
  EXPECT_TRUE(passed_by.ends_with("is of a later instant than its name says.")) << passed_by;
  // Another run's recording takes the name: what is the same of both is the beginning.
  record("abxq");
  kept = find(120'000, passed_by);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->place.at.retired, 80'000u);
  EXPECT_TRUE(passed_by.ends_with("is one of another recording.")) << passed_by;
}

TEST_F(KeptCheckpoints, AFolderThatCannotBeMadeIsToldOfOnce) {
  record("abcq");
  file("recording.checkpoints", {1, 2, 3});
  const RunResult result = replay(EngineKind::Jit, true);
  EXPECT_EQ(result.state_hash, wanted_.state_hash);
  EXPECT_EQ(kept_, 0u);
  EXPECT_TRUE(said_.starts_with("from @20000 on no checkpoints are kept: ")) << said_;
}

TEST_F(KeptCheckpoints, DamageIsFound) {
  record("abcq");
  const RunResult whole = replay(EngineKind::Jit, true);
  const std::string name = checkpoint_path(recording(), {100'000, 0, 0});
  const std::vector<u8> good = content_of_file(name);
  std::minstd_rand random(3);
  unsigned refused = 0;
  for (unsigned i = 0; i < 60; ++i) {
    std::vector<u8> bad = good;
    if (i % 10 == 9)
      bad.resize(random() % bad.size());
    else if (i % 3 == 0)
      bad[random() % 300] ^= static_cast<u8>(1u << random() % 8);
    else
      bad[bad.size() - 1 - random() % 30'000] ^= static_cast<u8>(1u << random() % 8);
    file("recording.checkpoints/@100000", bad);
    std::string passed_by;
    std::optional<KeptCheckpoint> kept = find(100'000, passed_by);
    if (!kept || kept->place.at.retired != 100'000) {
      EXPECT_NE(passed_by, "");
      ++refused;
      continue;
    }
    std::optional<Guest> guest;
    std::unique_ptr<Replay> replay = prepare(EngineKind::Interp, guest);
    const Result<Done> followed = guest->machine->follow_from(std::move(replay), *kept);
    const RunResult result = guest->machine->run(with_hashes());
    if (followed) {
      // Between the head and RAM there is nothing.
      check_rest(result, whole, 100'000);
      continue;
    }
    ++refused;
    EXPECT_EQ(result.reason, ExitReason::HostError) << "it must not run";
  }
  EXPECT_GT(refused, 35u);
}

/// What its digests say is right, and nothing else has to be.
TEST_F(KeptCheckpoints, MadeUpOnesDoNoHarm) {
  record("abcq");
  replay(EngineKind::Jit, true);
  std::string passed_by;
  std::optional<KeptCheckpoint> good = find(100'000, passed_by);
  ASSERT_TRUE(good);
  StateReader& reader = good->file->stream();
  std::map<std::string, std::vector<u8>> sections;
  reader.begin("machine");
  sections["machine"] = reader.rest(1 << 28);
  std::optional<Guest> shape;
  prepare(EngineKind::Interp, shape);
  const u64 bytes = shape->machine->ram().bytes();
  const auto ram = mmu::Ram::create(bytes).take();
  good->file->ram().load(reader, *ram);
  reader.begin("disks");
  sections["disks"] = reader.rest(1 << 28);
  ASSERT_TRUE(reader.ok());

  constexpr u64 kValues[] = {0,      1,          2,          0x7f,    0x80,        0xff,
                             0xffff, 0x7fffffff, 0xffffffff, ~u64{0}, u64{1} << 63};
  std::minstd_rand random(17);
  unsigned refused = 0, ran = 0;
  for (unsigned i = 0; i < 150; ++i) {
    auto bad = sections;
    KeptPlace place = good->place;
    for (unsigned k = 1 + random() % 3; k != 0; --k) {
      std::vector<u8>& section = bad[random() % 5 == 0 ? "disks" : "machine"];
      const u64 value = random() % 4 == 0 ? random() : kValues[random() % std::size(kValues)];
      const std::size_t width = std::size_t{1} << random() % 4;
      // Half of them where the machine's own is, behind the board's.
      const std::size_t tail = std::min<std::size_t>(section.size(), 1500);
      std::size_t at = random() % 2 == 0 ? random() % section.size() : section.size() - 1 - random() % tail;
      for (std::size_t byte = 0; byte < width && at < section.size(); ++byte, ++at)
        section[at] = static_cast<u8>(value >> (8 * byte));
    }
    if (i % 11 == 0) place.log_bytes = random() % (place.log_bytes + 10);
    const Result<u64> digest = log_digest(recording(), place.log_bytes);
    place.log_digest = digest ? digest.value() : 0;
    if (i % 7 == 0) place.at.virtual_ns ^= 1;
    auto made = StateFileWriter::create(checkpoint_path(recording(), {100'000, 0, 0}), StateForm::Pages,
                                        bytes, kKeptCheckpoint);
    ASSERT_TRUE(made.ok());
    StateWriter& writer = made.value()->stream();
    save_place(writer, place);
    writer.begin("machine");
    writer.bytes(bad["machine"]);
    writer.end();
    made.value()->ram().save(writer, *ram);
    writer.begin("disks");
    writer.bytes(bad["disks"]);
    writer.end();
    ASSERT_TRUE(made.value()->commit().ok());

    std::optional<KeptCheckpoint> kept = find(100'000, passed_by);
    if (!kept || kept->place.at.retired != 100'000) {
      ++refused;
      continue;
    }
    std::optional<Guest> guest;
    std::unique_ptr<Replay> replay = prepare(EngineKind::Interp, guest);
    if (!guest->machine->follow_from(std::move(replay), *kept)) {
      ++refused;
      continue;
    }
    RunLimits limits = with_hashes();
    limits.stop_at_retired = 160'000;
    (void)guest->machine->run(limits);
    ++ran;
  }
  EXPECT_GT(refused, 20u);
  EXPECT_GT(ran, 20u);
}

}  // namespace
}  // namespace reprise::machine
