#include "frontend/output/wav_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/bits.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

struct WavFileTest : testing::Test {
  WavFileTest() { fs::create_directories(folder); }
  ~WavFileTest() override { fs::remove_all(folder); }
  std::vector<u8> content() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  OutputOpener opener{{.say = [](std::string_view) {}, .pause = [](std::chrono::milliseconds) {}}};

  const fs::path folder = fs::temp_directory_path() / ("wav." + std::to_string(getpid()));
  const std::string path = folder / "sound.wav";
  Losses losses;
};

TEST_F(WavFileTest, IsOneAtAnyTime) {
  auto wav = WavFile::open(path, opener, losses).take();
  wav->finish();
  std::vector<u8> bytes = content();
  ASSERT_EQ(bytes.size(), 44u);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 4), "RIFF");
  EXPECT_EQ(read_unaligned<u32>(&bytes[24]), 48'000u);
  EXPECT_EQ(read_unaligned<u32>(&bytes[28]), 192'000u);
  EXPECT_EQ(read_unaligned<u32>(&bytes[40]), 0u);
  const i16 samples[] = {1, -1, 300, -300};
  wav->play(10, samples);
  wav->finish();
  bytes = content();
  ASSERT_EQ(bytes.size(), 44u + 4 * 12);
  EXPECT_EQ(read_unaligned<u32>(&bytes[4]), bytes.size() - 8);
  EXPECT_EQ(read_unaligned<u32>(&bytes[40]), bytes.size() - 44);
  EXPECT_EQ(read_unaligned<u16>(&bytes[44 + 40 + 2]), 0xffff);
  EXPECT_EQ(read_unaligned<u16>(&bytes[44 + 44]), 300);
}

TEST_F(WavFileTest, KeepsWhatThereWasUntilTheRunBegins) {
  std::ofstream(path) << "an older one";
  WavFile::open(path, opener, losses).take().reset();
  std::string content;
  std::getline(std::ifstream(path), content);
  EXPECT_EQ(content, "an older one");
}

TEST_F(WavFileTest, LongSilenceIsASecond) {
  auto wav = WavFile::open(path, opener, losses).take();
  const std::vector<i16> second(96'000, i16{5});
  wav->play(u64{1} << 40, second);
  wav->play((u64{1} << 40) + 48'000, second);
  wav->play((u64{1} << 50), second);
  wav.reset();
  EXPECT_EQ(content().size(), 44u + 5 * 192'000);
  EXPECT_FALSE(losses.any());
}

TEST_F(WavFileTest, SaysHowMuchAFullDiskHasTaken) {
  auto wav = WavFile::open(path, opener, losses).take();
  constexpr rlim_t kRoom = 100'003;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto on_signal = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little = {kRoom, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  const std::vector<i16> second(96'000, i16{5});
  wav->play(0, second);
  wav->play(48'000, second);
  wav.reset();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, on_signal);
  const std::vector<u8> bytes = content();
  ASSERT_EQ(bytes.size(), kRoom);
  EXPECT_EQ(read_unaligned<u32>(&bytes[40]), (kRoom - 44) / 4 * 4);
  EXPECT_EQ(read_unaligned<u32>(&bytes[4]), (kRoom - 44) / 4 * 4 + 36);
  EXPECT_EQ(losses.list().size(), 1u);
}

TEST_F(WavFileTest, WhatHasNoBeginningIsRefused) {
  const auto named = WavFile::open("-", opener, losses);
  ASSERT_FALSE(named);
  EXPECT_NE(named.error().message.find("it is no stream"), std::string::npos);
  EXPECT_FALSE(fs::exists("-"));
  const auto refused = WavFile::open("/dev/null", opener, losses);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("/dev/null"), std::string::npos);
}

}  // namespace
}  // namespace reprise::frontend
