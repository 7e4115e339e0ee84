// Disks whose files change in a run: what they held is kept, a repeated run reads it, and writes nothing; requests that the host
// did not carry out fail again.
#include <gtest/gtest.h>

#include "machine/record/recorded_error.h"
#include "machine/record/recorder.h"
#include "machine/record/recording.h"
#include "machine/record/replay.h"
#include "machine/storage/first_touches.h"
#include "machine/storage/open_image.h"
#include "machine/storage/run_files.h"
#include "tests/unit/machine/disk_guest.h"
#include "tests/unit/machine/small_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;

class RecordedDisks : public StorageTest {
 protected:
  static DiskConfig written(const std::string& name) {
    DiskConfig disk;
    disk.path = name;
    disk.write_through = true;
    return disk;
  }
  /// What `files` are told goes to a recording, which a second set reads.
  void keep(RunFiles& files) {
    recorder_.begin({"program", folder_, {}, "", {}});
    files.first_writes()->tell([this](const std::string& name, u64 offset, std::span<const u8> content) {
      told_.push_back({name, offset, content.size(), {content.begin(), content.end()}});
      recorder_.add(told_.back());
    });
  }
  std::shared_ptr<RunFiles> repeated() {
    if (recorder_.name().empty()) {
      EXPECT_TRUE(recorder_.write_to(open_fd(file("recording", {}), O_RDWR), "x").ok());
    }
    return std::make_shared<RunFiles>(folder_, Recording::open(path("recording")).take()->take_content());
  }
  static std::vector<u8> read(OpenedImage& image, u64 offset, u64 bytes) {
    std::vector<u8> content(bytes);
    EXPECT_EQ(image.medium->read(offset, content), BlockStatus::Ok);
    return content;
  }

  Recorder recorder_;
  std::vector<RecordedPiece> told_;
};

TEST_F(RecordedDisks, EachSectorIsToldOfOnceBeforeItIsWritten) {
  const std::vector<u8> before = pattern(16 * 512);
  const auto files = std::make_shared<RunFiles>();
  keep(*files);
  auto image = open_image(written(file("a.img", before)), files);
  ASSERT_TRUE(image.ok()) << image.error().message;
  devices::BlockBackend& medium = *image.value().medium;
  EXPECT_EQ(medium.write(2 * 512, pattern(2 * 512, 2)), BlockStatus::Ok);
  EXPECT_EQ(medium.write(3 * 512, pattern(2 * 512, 3)), BlockStatus::Ok);
  EXPECT_EQ(medium.discard(0, 6 * 512), BlockStatus::Ok);
  EXPECT_EQ(medium.write(16 * 512, pattern(512)), BlockStatus::OutOfRange);
  std::vector<u8> sectors(16);
  for (const RecordedPiece& piece : told_) {
    EXPECT_EQ(piece.file, path("a.img"));
    EXPECT_TRUE(std::equal(piece.content.begin(), piece.content.end(),
                           before.begin() + static_cast<std::ptrdiff_t>(piece.offset)));
    for (u64 at = piece.offset; at < piece.offset + piece.bytes; at += 512) ++sectors.at(at / 512);
  }
  EXPECT_EQ(sectors, (std::vector<u8>{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_F(RecordedDisks, ARepeatedRunReadsWhatWasAndWritesNothing) {
  const std::vector<u8> before = pattern(16 * 512);
  const auto files = std::make_shared<RunFiles>();
  keep(*files);
  {
    auto image = open_image(written(file("a.img", before)), files);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image.value().medium->write(512, pattern(3 * 512, 2)), BlockStatus::Ok);
    EXPECT_EQ(image.value().medium->discard(8 * 512, 4 * 512), BlockStatus::Ok);
  }
  const std::vector<u8> after = content_of_file(path("a.img"));
  EXPECT_NE(after, before);
  const auto again = repeated();
  for (const bool through : {true, false}) {
    DiskConfig config = written(path("a.img"));
    config.write_through = through;
    auto image = open_image(config, through ? again : repeated());
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(read(image.value(), 0, before.size()), before);
    EXPECT_EQ(image.value().medium->write(5 * 512, pattern(512, 7)), BlockStatus::Ok);
    EXPECT_EQ(read(image.value(), 5 * 512, 512), pattern(512, 7));
  }
  // As in the run, what was written is there when the file is opened again.
  auto image = open_image(written(path("a.img")), again);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(read(image.value(), 5 * 512, 512), pattern(512, 7));
  EXPECT_EQ(content_of_file(path("a.img")), after);
}

TEST_F(RecordedDisks, AKeptOverlayThatTheRunMadeMayBeGone) {
  if (!have_qemu()) GTEST_SKIP() << "qemu-img is not installed";
  const std::vector<u8> before = pattern(64 * 1024);
  DiskConfig config = written(file("a.img", before));
  config.write_through = false;
  config.overlay_path = path("a.qcow2");
  const auto files = std::make_shared<RunFiles>();
  keep(*files);
  {
    auto image = open_image(config, files);
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image.value().medium->write(1024, pattern(4096, 2)), BlockStatus::Ok);
    EXPECT_EQ(image.value().medium->flush(), BlockStatus::Ok);
  }
  for (const bool gone : {false, true}) {
    if (gone) {
      std::filesystem::remove(config.overlay_path);
    }
    auto image = open_image(config, repeated());
    ASSERT_TRUE(image.ok()) << image.error().message;
    const std::vector<u8> now = read(image.value(), 0, before.size());
    const auto differs = std::ranges::mismatch(now, before);
    EXPECT_EQ(differs.in1 - now.begin(), static_cast<std::ptrdiff_t>(before.size())) << gone;
    EXPECT_EQ(image.value().medium->write(0, pattern(512, 7)), BlockStatus::Ok);
    EXPECT_EQ(std::filesystem::exists(config.overlay_path), !gone);
  }
}

TEST(FilePieces, TheFirstOfEachByteCounts) {
  const boot::TemporaryFile file("0123456789abcdef");
  FilePieces pieces(std::make_shared<const HostFd>(open(file.path().c_str(), O_RDONLY | O_CLOEXEC)));
  EXPECT_TRUE(pieces.add(100, 4, 2));
  EXPECT_TRUE(pieces.add(98, 8, 8));
  EXPECT_TRUE(pieces.add(106, 2, std::nullopt));
  EXPECT_FALSE(pieces.add(~u64{0} - 3, 8, 0)) << "beyond any file";
  EXPECT_FALSE(pieces.add(0, ~u64{0}, 0));
  std::vector<u8> got(10);
  EXPECT_EQ(pieces.read(98, got), BlockStatus::Ok);
  EXPECT_EQ(std::string(got.begin(), got.end()), std::string("892345ef\0\0", 10));
  bool known = true;
  EXPECT_EQ(pieces.run(0, 1000, known), 98u);
  EXPECT_FALSE(known);
  EXPECT_EQ(pieces.read(90, got), BlockStatus::ReadError);
  EXPECT_TRUE(pieces.add(200, 100, 12));
  EXPECT_EQ(pieces.read(200, got), BlockStatus::ReadError) << "the holder ends before";
}

/// Writes half of what it is to, and reads half.
struct Failing final : devices::BlockBackend {
  std::vector<u8> content = pattern(8 * 512);
  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return false; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    if (into.size() == 512) return BlockStatus::Ok;
    std::ranges::fill(into.subspan(into.size() / 2), u8{0});
    return BlockStatus::ReadError;
  }
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    std::copy_n(from.begin(), from.size() / 2, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return BlockStatus::NoSpace;
  }
  BlockStatus flush() override { return BlockStatus::WriteError; }
  BlockStatus discard(u64 offset, u64 bytes) override {
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(offset), bytes / 2, u8{0});
    return BlockStatus::WriteError;
  }
};

/// Whatever it is asked, it does.
struct Memory final : devices::BlockBackend {
  std::vector<u8> content = pattern(8 * 512);
  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return false; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return BlockStatus::Ok;
  }
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    std::ranges::copy(from, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return BlockStatus::Ok;
  }
  BlockStatus flush() override { return BlockStatus::Ok; }
  BlockStatus discard(u64 offset, u64 bytes) override {
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(offset), bytes, u8{0});
    return BlockStatus::Ok;
  }
};

TEST(DiskErrors, FailAgainAsTheyFailed) {
  std::vector<AnswerEvent> recorded;
  DiskErrors errors;
  errors.told = [&](const DiskError& error) {
    EXPECT_FALSE(error.repeated);
    recorded.push_back({describe_request(error), error_answer(error)});
  };
  DiskCounters counters, again_counters;
  auto failing = std::make_unique<Failing>();
  const Failing& first_content = *failing;
  CountedImage first(std::move(failing), counters, "disk0", errors);

  std::size_t next = 0;
  DiskErrors repeating;
  repeating.repeated = [&](DiskError request) {
    EXPECT_TRUE(next < recorded.size() && take_error_answer(recorded[next], request));
    ++next;
    return request;
  };
  repeating.told = [&](const DiskError& error) { EXPECT_TRUE(error.repeated); };
  auto memory = std::make_unique<Memory>();
  const Memory& second_content = *memory;
  CountedImage second(std::move(memory), again_counters, "disk0", repeating);

  std::vector<u8> one(1024), other(1024, 9);
  EXPECT_EQ(first.write(512, pattern(4 * 512, 3)), BlockStatus::NoSpace);
  EXPECT_EQ(second.write(512, pattern(4 * 512, 3)), BlockStatus::NoSpace);
  EXPECT_EQ(first.discard(6 * 512, 2 * 512), BlockStatus::WriteError);
  EXPECT_EQ(second.discard(6 * 512, 2 * 512), BlockStatus::WriteError);
  EXPECT_EQ(first.flush(), BlockStatus::WriteError);
  EXPECT_EQ(second.flush(), BlockStatus::WriteError);
  EXPECT_EQ(first.read(1024, one), BlockStatus::ReadError);
  EXPECT_EQ(second.read(1024, other), BlockStatus::ReadError);
  EXPECT_EQ(one, other);
  EXPECT_EQ(first_content.content, second_content.content);
  EXPECT_EQ(recorded.size(), 4u);
  EXPECT_LE(recorded[0].answer.size(), 2u) << "a bit for each sector";
}

TEST(DiskErrors, AnAnswerThatCannotBeIsNone) {
  DiskError request{.drive = "disk0", .what = "read", .offset = 512, .bytes = 1024};
  EXPECT_FALSE(take_error_answer({"read 1024 at 0", {2}}, request));
  EXPECT_FALSE(take_error_answer({"read 1024 at 512", {}}, request));
  EXPECT_FALSE(take_error_answer({"read 1024 at 512", {0}}, request));
  EXPECT_FALSE(take_error_answer({"read 1024 at 512", {200}}, request));
  EXPECT_TRUE(take_error_answer({"read 1024 at 512", {1}}, request));
}

TEST_F(RecordedDisks, ARunThatWritesItsImageIsRepeatedAfterwards) {
  std::vector<u8> before = pattern(64 * 1024);
  before[3 * 512] = 'a';
  before[4 * 512] = 'b';
  const std::string image = file("a.img", before);
  // 3 goes over 4; then what would make it a qcow2 image goes to the first sector, and is refused.
  const boot::TemporaryFile kernel(Guest::image(kCli + out8(0x3f6, 2) + read_sector(3) + write_sector(4) +
                                                read_sector(4) + store32(kBuffer, 0xfb494651) +
                                                store32(kBuffer + 4, 0x03000000) + write_sector(0) +
                                                read_sector(0) + read_sector(4) + kPowerOff));
  MachineConfig config;
  config.devices = {{.driver = "ide-hd", .properties = {{"file", image}, {"write", "yes"}}}};
  Guest first(kernel, config);
  const RunResult wanted = first.run();
  EXPECT_EQ(wanted.reason, ExitReason::PowerOff) << wanted.message;
  ASSERT_EQ(first.com1.text.size(), 6u);
  EXPECT_EQ(first.com1.text[2], 'a');
  EXPECT_EQ(first.com1.text[3] & 1, 1) << "an error";
  EXPECT_EQ(first.com1.text[4], static_cast<char>(before[0]));
  first.machine->end_recording(wanted);
  ASSERT_TRUE(first.machine->recorder().write_to(open_fd(file("recording", {}), O_RDWR), "x").ok());
  const std::string said = first.com1.text;
  first.machine.reset();
  const std::vector<u8> after = content_of_file(image);
  EXPECT_EQ(after[4 * 512], 'a');

  for (const EngineKind engine : {EngineKind::Interp, EngineKind::Jit}) {
    auto recording = Recording::open(path("recording")).take();
    config.replayed = true;
    config.engine = engine;
    config.files = std::make_shared<RunFiles>(recording->run().folder, recording->take_content());
    Guest second(kernel, config);
    const Result<Done> followed = second.machine->follow(std::make_unique<Replay>(std::move(recording)));
    ASSERT_TRUE(followed.ok()) << followed.error().message;
    const RunResult result = second.run();
    EXPECT_EQ(result.reason, wanted.reason) << result.message << result.details;
    EXPECT_EQ(result.state_hash, wanted.state_hash);
    EXPECT_EQ(second.com1.text, said);
    EXPECT_EQ(result.disks[0].read.digest, wanted.disks[0].read.digest) << "what was read";
    EXPECT_EQ(content_of_file(image), after);
  }
}

}  // namespace
}  // namespace reprise::machine
