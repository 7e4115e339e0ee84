// Records as bytes, the recorder's ways to keep them, and machines that follow a recording.
#include "machine/record/record.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/hash.h"
#include "machine/outside/sink_names.h"
#include "machine/record/record_bytes.h"
#include "machine/record/recorder.h"
#include "machine/record/recording.h"
#include "machine/record/replay.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

std::vector<RecordEntry> some_records() {
  const PointerChange moved = {
      .motion = PointerChange::Motion::Relative, .x = -3, .y = 400, .wheel = -1, .buttons = 5};
  return {RecordedRun{"program",
                      "/folder",
                      {"--memory=1G", "a b"},
                      "",
                      {"memory 1", "drive"},
                      {{"kernel", "/vmlinuz", 77, 0x1234}}},
          RecordedFile{"/disk.img",
                       {.bytes = 8192,
                        .media = DiskMedia::Cdrom,
                        .format = "raw",
                        .file_bytes = 8000,
                        .modified_unix_ns = -5}},
          RecordedHash{{0, 0, 0}, 0x1122334455667788},
          RecordedPiece{"/disk.img", 512, 1024, std::vector<u8>(1024, 3)},
          LoggedEvent{{5, 5, 0}, "com1", BytesEvent{{1, 2, 3}}},
          RecordedPiece{"/other.img", 0, u64{1} << 40, {}},
          RecordedPiece{"/disk.img", 4096, 512, std::vector<u8>(512, 4)},
          LoggedEvent{{5, 5, 1}, "com1", BytesEvent{{}}},
          LoggedEvent{{5, 900, 1}, "keyboard", KeyEvent{find_key("f12")->key, true}},
          LoggedEvent{{1'000'000'000'000, 1'000'000'000'900, 0}, "pointer", PointerEvent{moved}},
          LoggedEvent{{1'000'000'000'000, 1'000'000'000'900, 7}, "cdrom0", MediumEvent{"insert x y"}},
          LoggedEvent{{1'000'000'000'001, 2'000'000'000'900, 0}, "power-button", ButtonEvent{}},
          LoggedEvent{{1'000'000'000'001, 2'000'000'000'900, 1}, "disk0", AnswerEvent{"read", {9}}},
          LoggedEvent{
              {1'000'000'000'001, 2'000'000'000'900, 2}, "network", PacketEvent{std::vector<u8>(1514, 7)}},
          RecordedEnd{{1'000'000'000'001, 3'000'000'000'900, 2},
                      3,
                      -1,
                      "why",
                      0x123456789abcdef0,
                      {{"disk0", 5}, {"cdrom0", 6}}}};
}

std::vector<u8> bytes_of(const std::vector<RecordEntry>& records) {
  RecordEncoder encoder;
  std::vector<u8> bytes;
  for (const RecordEntry& record : records) {
    const std::vector<u8> more = encoder.encode(record);
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  return bytes;
}

TEST(RecordEntries, EachComesBack) {
  const std::vector<RecordEntry> records = some_records();
  const std::vector<u8> bytes = bytes_of(records);
  std::span<const u8> left = bytes;
  RecordDecoder decoder;
  RecordEncoder again;
  RecordEncoder original;
  for (const RecordEntry& record : records) {
    RecordEntry decoded;
    ASSERT_EQ(decoder.decode(left, decoded), RecordDecoder::Outcome::Whole);
    EXPECT_EQ(decoded.index(), record.index());
    EXPECT_EQ(again.encode(decoded), original.encode(record));
    if (const auto* event = std::get_if<LoggedEvent>(&record)) {
      EXPECT_EQ(std::get<LoggedEvent>(decoded).at, event->at);
      EXPECT_EQ(std::get<LoggedEvent>(decoded).sink, event->sink);
    }
  }
  EXPECT_TRUE(left.empty());
}

TEST(RecordEntries, AKeyCostsLittle) {
  RecordEncoder encoder;
  const KeyEvent key{find_key("a")->key, true};
  (void)encoder.encode(LoggedEvent{{100, 100, 0}, "keyboard", key});
  EXPECT_LE(encoder.encode(LoggedEvent{{2'000'000'000, 2'100'000'000, 0}, "keyboard", key}).size(), 23u);
}

TEST(RecordEntries, WhatIsCutOrDamagedIsFound) {
  const std::vector<u8> bytes = bytes_of(some_records());
  std::mt19937 random(1);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    std::span<const u8> left = std::span(bytes).first(length);
    RecordDecoder decoder;
    RecordEntry record;
    RecordDecoder::Outcome outcome;
    do outcome = decoder.decode(left, record);
    while (outcome == RecordDecoder::Outcome::Whole && !left.empty());
    EXPECT_NE(outcome, RecordDecoder::Outcome::Damaged) << length;
  }
  unsigned found = 0;
  constexpr unsigned kCases = 5000;
  for (unsigned i = 0; i < kCases; ++i) {
    std::vector<u8> other = bytes;
    other[random() % other.size()] ^= static_cast<u8>(1 + random() % 255);
    std::span<const u8> left = other;
    RecordDecoder decoder;
    RecordEntry record;
    RecordDecoder::Outcome outcome;
    do outcome = decoder.decode(left, record);
    while (outcome == RecordDecoder::Outcome::Whole && !left.empty());
    found += outcome != RecordDecoder::Outcome::Whole;
  }
  EXPECT_EQ(found, kCases);
}

/// Whoever makes a recording up knows how digests are made.
TEST(RecordEntries, MadeUpPayloadsDoNoHarm) {
  std::mt19937 random(3);
  unsigned whole = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    const std::vector<RecordEntry> records = some_records();
    RecordEncoder encoder;
    std::vector<u8> bytes;
    const std::size_t changed = random() % records.size();
    for (std::size_t n = 0; n < records.size(); ++n) {
      std::vector<u8> entry = encoder.encode(records[n]);
      if (n == changed) {
        RecordParser parser(entry);
        std::vector<u8> payload = parser.bytes();
        for (unsigned flips = 0; flips <= i % 4; ++flips) {
          const std::size_t at = random() % payload.size();
          payload[at] = static_cast<u8>(random() % 3 == 0 ? 0xff : random());
        }
        if (i % 7 == 0) payload.resize(random() % payload.size());
        RecordBytes again;
        again.bytes(payload);
        again.fixed32(static_cast<u32>(hash64(payload)));
        entry = again.take();
      }
      bytes.insert(bytes.end(), entry.begin(), entry.end());
    }
    std::span<const u8> left = bytes;
    RecordDecoder decoder;
    RecordEntry record;
    while (!left.empty() && decoder.decode(left, record) == RecordDecoder::Outcome::Whole) ++whole;
  }
  EXPECT_GT(whole, 20'000u) << "most entries before the changed one are whole";
}

class RecordingTest : public testing::Test {
 protected:
  RecordingTest() : folder_("/tmp/reprise-record-XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) ADD_FAILURE();
  }
  ~RecordingTest() override { fs::remove_all(folder_); }
  std::string path() const { return folder_ + "/recording"; }
  HostFd create() const { return HostFd(open(path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)); }
  std::vector<u8> content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string folder_;
};

TEST_F(RecordingTest, AFileThatIsWantedLateHasAllOfTheRun) {
  std::vector<u8> expected;
  for (const u64 memory_bytes : {u64{0}, u64{100}, u64{1} << 20}) {
    for (std::size_t at = 0; at <= some_records().size(); ++at) {
      Recorder recorder(memory_bytes);
      std::size_t done = 0;
      for (const RecordEntry& record : some_records()) {
        if (done++ == at) {
          ASSERT_TRUE(recorder.write_to(create(), "x").ok());
        }
        recorder.add(record);
      }
      if (at == done) {
        ASSERT_TRUE(recorder.write_to(create(), "x").ok());
      }
      EXPECT_TRUE(recorder.complete());
      if (expected.empty()) expected = content();
      EXPECT_EQ(content(), expected) << memory_bytes << ' ' << at;
    }
  }
  auto recording = Recording::open(path());
  ASSERT_TRUE(recording.ok());
  std::size_t count = 1;
  for (; recording.value()->entries().next() != nullptr; recording.value()->entries().pop()) ++count;
  EXPECT_EQ(count, some_records().size() - 4) << "all but what it has of files";
  EXPECT_EQ(recording.value()->entries().cut(), "");
  const RecordedContent files = recording.value()->take_content();
  const PiecesByFile& pieces = files.pieces;
  EXPECT_EQ(files.packed.at("/disk.img").media, DiskMedia::Cdrom);
  recording.value().reset();
  std::vector<u8> got(1024);
  EXPECT_EQ(pieces.at("/disk.img")->read(512, got), devices::BlockStatus::Ok);
  EXPECT_EQ(got, std::vector<u8>(1024, 3));
  EXPECT_EQ(pieces.at("/other.img")->read(u64{1} << 39, got), devices::BlockStatus::Ok);
  EXPECT_EQ(got, std::vector<u8>(1024, 0));
}

TEST_F(RecordingTest, AFullDiskEndsTheRecordingNotTheRun) {
  Recorder recorder;
  ASSERT_TRUE(recorder.write_to(create(), "x").ok());
  Recorder full;
  const Result<Done> begun = full.write_to(HostFd(open("/dev/full", O_WRONLY | O_CLOEXEC)), "full");
  ASSERT_FALSE(begun.ok());
  EXPECT_NE(begun.error().message.find("No space left"), std::string::npos);
  full.add(some_records()[2]);
  EXPECT_TRUE(full.complete()) << "it is kept in memory as before";
}

TEST_F(RecordingTest, WhenThereIsNoRoomLeftSomebodyIsTold) {
  const char* const before = getenv("TMPDIR");
  const std::string restored = before != nullptr ? before : "";
  setenv("TMPDIR", "/nonexistent", 1);
  Recorder recorder;
  recorder.set_memory_bytes(100);
  std::vector<std::string> told;
  recorder.on_full([&](const std::string& why) { told.push_back(why); });
  for (const RecordEntry& record : some_records()) recorder.add(record);
  if (before != nullptr)
    setenv("TMPDIR", restored.c_str(), 1);
  else
    unsetenv("TMPDIR");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0], "");
  EXPECT_FALSE(recorder.complete());
  EXPECT_FALSE(recorder.write_to(create(), "x").ok());
  // From a state on there is a beginning again.
  recorder.begin_anew(std::get<RecordedRun>(some_records()[0]));
  EXPECT_TRUE(recorder.write_to(create(), "x").ok());
  EXPECT_TRUE(Recording::open(path()).ok());
}

TEST_F(RecordingTest, WhatStandsBehindItsEndIsRefused) {
  Recorder recorder;
  for (const RecordEntry& record : some_records()) recorder.add(record);
  ASSERT_TRUE(recorder.write_to(create(), "x").ok());
  const std::vector<u8> whole = content();
  EXPECT_TRUE(Recording::open(path()).ok());
  std::vector<u8> twice = whole;
  twice.insert(twice.end(), whole.begin(), whole.end());
  for (const std::size_t bytes : {whole.size() + 1, whole.size() + 10, twice.size()}) {
    std::ofstream(path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(twice.data()), static_cast<std::streamsize>(bytes));
    const auto opened = Recording::open(path());
    ASSERT_FALSE(opened.ok()) << bytes;
    EXPECT_NE(opened.error().message.find(fmt::format("behind its end, at byte {},", whole.size())),
              std::string::npos)
        << opened.error().message;
  }
  // Nor is what could be a part of it: a second end, or something that happens later.
  const RecordEntry again[] = {some_records().back(),
                               RecordedHash{{2'000'000'000'000, 3'000'000'001'000, 0}, 1, {}}};
  for (const RecordEntry& entry : again) {
    Recorder longer;
    for (const RecordEntry& record : some_records()) longer.add(record);
    longer.add(entry);
    ASSERT_TRUE(longer.write_to(create(), "x").ok());
    const auto opened = Recording::open(path());
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().message.find(fmt::format("behind its end, at byte {},", whole.size())),
              std::string::npos)
        << opened.error().message;
  }
}

TEST_F(RecordingTest, MadeUpFilesDoNoHarm) {
  Recorder recorder;
  for (const RecordEntry& record : some_records()) recorder.add(record);
  ASSERT_TRUE(recorder.write_to(create(), "x").ok());
  const std::vector<u8> whole = content();
  std::mt19937 random(2);
  for (unsigned i = 0; i < 500; ++i) {
    std::vector<u8> other = whole;
    for (unsigned n = 0; n <= i % 3; ++n) other[random() % other.size()] = static_cast<u8>(random());
    if (i % 5 == 0) other.resize(random() % other.size());
    std::ofstream(path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(other.data()), static_cast<std::streamsize>(other.size()));
    auto recording = Recording::open(path());
    if (!recording.ok()) continue;
    while (recording.value()->entries().next() != nullptr) recording.value()->entries().pop();
    std::vector<u8> got(4096);
    const RecordedContent files = recording.value()->take_content();
    for (const auto& [name, pieces] : files.pieces) {
      bool known = false;
      for (u64 at = 0; at < 8192; at += 512)
        if (pieces->run(at, 512, known) == 512 && known) (void)pieces->read(at, std::span(got).first(512));
    }
  }
}

/// A guest that reads a serial port for ever, and writes what it got.
const Code kEcho = out8(0x3fb, 0x03) + Code{0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb,
                                            0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xef};

RunLimits until(u64 instructions) {
  RunLimits limits = kADay;
  limits.stop_at_retired = instructions;
  return limits;
}

class FollowTest : public RecordingTest {
 protected:
  Result<Done> follow(Guest& guest) const {
    return guest.machine->follow(std::make_unique<Replay>(Recording::open(path()).take()));
  }
  MachineConfig replayed() const {
    MachineConfig config;
    config.replayed = true;
    return config;
  }
};

TEST_F(FollowTest, InputComesInWhereItCameIn) {
  const boot::TemporaryFile file(Guest::image(kEcho));
  Guest first(file, {});
  for (const char* text : {"hello", " ", "world"}) {
    first.run(until(first.machine->retired() + 123'457));
    first.machine->inbox().post(
        {std::string(kCom1Sink), BytesEvent{{text, text + std::string_view(text).size()}}});
  }
  const RunResult wanted = first.run(until(1'000'000));
  EXPECT_EQ(first.com1.text, "hello world");
  first.machine->end_recording(wanted);
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());

  for (const EngineKind engine : {EngineKind::Interp, EngineKind::Jit}) {
    MachineConfig config = replayed();
    config.engine = engine;
    Guest second(file, config);
    ASSERT_TRUE(follow(second).ok());
    second.machine->inbox().post({std::string(kCom1Sink), BytesEvent{{'X'}}});
    const RunResult result = second.run(kADay);
    EXPECT_EQ(result.reason, ExitReason::StopAt) << result.message << result.details;
    EXPECT_EQ(result.state_hash, wanted.state_hash);
    EXPECT_EQ(result.retired, wanted.retired);
    EXPECT_EQ(second.com1.text, "hello world");
  }
}

TEST_F(FollowTest, ADifferenceIsNamed) {
  const boot::TemporaryFile file(Guest::image(kEcho + kPowerOff));
  Guest first(file, {});
  const RunResult result = first.run(until(500'000));
  first.machine->recorder().add(RecordedHash{first.machine->position(), result.state_hash ^ 1});
  first.machine->end_recording(result);
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  Guest second(file, replayed());
  ASSERT_TRUE(follow(second).ok());
  const RunResult differing = second.run(kADay);
  EXPECT_EQ(differing.reason, ExitReason::ReplayDiffers);
  EXPECT_EQ(differing.exit_code, 22);
  EXPECT_NE(differing.message.find("@500000"), std::string::npos) << differing.message;
  EXPECT_NE(differing.details.find("last agreed  @0"), std::string::npos) << differing.details;
}

/// What was read may be gone from the state again.
TEST_F(FollowTest, OtherReadsDifferThoughTheStateIsTheSame) {
  const boot::TemporaryFile file(Guest::image(kEcho));
  Guest first(file, {});
  const RunResult result = first.run(until(500'000));
  first.machine->recorder().add(RecordedHash{first.machine->position(), result.state_hash, {{"disk0", 5}}});
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  for (const u64 digest : {u64{5}, u64{6}}) {
    Replay replay(Recording::open(path()).take());
    while (replay.next() != nullptr && replay.next_at().retired == 0) replay.pass_hash();
    ASSERT_TRUE(replay.hash_is_due(first.machine->position()));
    replay.take_hash(first.machine->position(), result.state_hash, {{"disk0", digest}});
    const bool told = replay.report().find("what was read of the image in disk0") != std::string::npos;
    EXPECT_EQ(told, digest != 5) << replay.report();
  }
}

TEST_F(FollowTest, AnotherBuildIsNamedWhereItDiffers) {
  const boot::TemporaryFile file(Guest::image(kEcho));
  MachineConfig by_one;
  by_one.origin.program = "reprise (build one)";
  Guest first(file, by_one);
  const RunResult result = first.run(until(500'000));
  first.machine->recorder().add(RecordedHash{first.machine->position(), result.state_hash ^ 1});
  first.machine->end_recording(result);
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  for (const char* const build : {"reprise (build one)", "reprise (build two)"}) {
    MachineConfig config = replayed();
    config.origin.program = build;
    Guest second(file, config);
    ASSERT_TRUE(follow(second).ok());
    const RunResult differing = second.run(kADay);
    EXPECT_EQ(differing.reason, ExitReason::ReplayDiffers);
    EXPECT_EQ(differing.details.find("recorded by  reprise (build one); this is reprise (build two)") !=
                  std::string::npos,
              build != by_one.origin.program)
        << differing.details;
  }
}

/// Who goes back from it arrives there again; without a debugger it ends.
TEST_F(FollowTest, AnEndByTheHostIsHeldForADebugger) {
  const boot::TemporaryFile file(Guest::image(kEcho));
  Guest first(file, {});
  RunResult ended = first.run(until(300'000));
  ended.reason = ExitReason::Quit;
  first.machine->end_recording(ended);
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  MachineConfig config = replayed();
  config.history = {.on = true, .bytes = 16 << 20, .interval_instructions = 10'000};
  Guest second(file, config);
  ASSERT_TRUE(follow(second).ok());
  second.machine->debugger().on_stop([] {});
  RunLimits limits = kADay;
  limits.attended = true;
  unsigned visits = 0;
  limits.visit = [&] { ++visits; };
  EXPECT_EQ(second.run(limits).retired, 300'000u);
  EXPECT_EQ(visits, 1u);
  EXPECT_NE(second.machine->held_ending(), nullptr);
  ASSERT_TRUE(second.machine->go_to({{200'000, 0, 0}}).ok());
  u64 there = 0;
  limits.visit = [&] { there = second.machine->retired(); };
  (void)second.run(limits);
  EXPECT_EQ(there, 200'000u);
  second.machine->debugger().on_stop(nullptr);
  second.machine->resume();
  limits.visit = {};
  EXPECT_EQ(second.run(limits).reason, ExitReason::Quit);
}

/// Behind the last link of the chain, too.
TEST_F(FollowTest, ARunThatEndsInAnotherStateDiffers) {
  const boot::TemporaryFile file(Guest::image(kPowerOff));
  for (const u64 other : {0, 1}) {
    Guest first(file, {});
    RunResult result = first.run(kADay);
    result.state_hash ^= other;
    first.machine->end_recording(result);
    ASSERT_TRUE(first.machine->recorder().write_to_new(path()).ok());
    Guest second(file, replayed());
    ASSERT_TRUE(follow(second).ok());
    const RunResult replay = second.run(kADay);
    EXPECT_EQ(replay.reason, other == 0 ? ExitReason::PowerOff : ExitReason::ReplayDiffers) << replay.details;
  }
}

TEST_F(FollowTest, ARunThatEndsOtherwiseDiffers) {
  const boot::TemporaryFile file(Guest::image(kPowerOff));
  Guest first(file, {});
  first.machine->recorder().end({{500'000, 500'000, 0}, static_cast<u8>(ExitReason::StopAt), 0, "stopped"});
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  Guest second(file, replayed());
  ASSERT_TRUE(follow(second).ok());
  const RunResult result = second.run(kADay);
  EXPECT_EQ(result.reason, ExitReason::ReplayDiffers) << result.message;
}

TEST_F(FollowTest, AnotherKernelIsNamed) {
  const boot::TemporaryFile spins(Guest::image(kSpin)), ends(Guest::image(kPowerOff));
  Guest first(spins, {});
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  Guest second(ends, replayed());
  const Result<Done> followed = follow(second);
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("The kernel '" + ends.path() + "' is not the one of that run"),
            std::string::npos)
      << followed.error().message;
}

TEST_F(FollowTest, OneThatWasCutOffGoesToWhereItWasCutOff) {
  const boot::TemporaryFile file(Guest::image(kEcho));
  Guest first(file, {});
  first.run(until(200'000));
  first.machine->inbox().post({std::string(kCom1Sink), BytesEvent{{'x'}}});
  first.run(until(400'000));
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  Guest second(file, replayed());
  ASSERT_TRUE(follow(second).ok());
  const RunResult result = second.run(kADay);
  EXPECT_EQ(result.reason, ExitReason::StopAt);
  EXPECT_EQ(result.retired, 200'000u);
  EXPECT_NE(result.message.find("cut off"), std::string::npos) << result.message;
  Guest further(file, replayed());
  ASSERT_TRUE(follow(further).ok());
  EXPECT_EQ(further.run(until(300'000)).retired, 300'000u);
}

TEST_F(FollowTest, WhatNoRecordingHasEndsIt) {
  const boot::TemporaryFile file(Guest::image(kSpin));
  Guest first(file, {});
  StateMemorySink state;
  StateWriter writer(state);
  ASSERT_TRUE(first.machine->save(writer).ok());
  ASSERT_TRUE(first.machine->debugger().write_memory(0x1000, std::vector<u8>{1}));
  EXPECT_TRUE(first.machine->recorder().complete());
  first.machine->resume();
  const Result<Done> written = first.machine->recorder().write_to(create(), "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message, "the run cannot be repeated: a debugger has written to the guest");

  Guest second(file, {});
  StateMemorySource source(state.bytes);
  StateReader reader(source);
  ASSERT_TRUE(second.machine->load(reader).ok());
  EXPECT_FALSE(second.machine->recorder().write_to(create(), "x").ok());
}

TEST_F(FollowTest, AnotherMachineIsRefused) {
  const boot::TemporaryFile file(Guest::image(kSpin));
  Guest first(file, {});
  ASSERT_TRUE(first.machine->recorder().write_to(create(), "x").ok());
  MachineConfig config = replayed();
  config.seed = 2;
  Guest second(file, config);
  const Result<Done> followed = follow(second);
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("'seed 1' where this one has 'seed 2'"), std::string::npos);
}

}  // namespace
}  // namespace reprise::machine
