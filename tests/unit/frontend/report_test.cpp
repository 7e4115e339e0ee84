#include "frontend/report.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace reprise::frontend {
namespace {

const std::string kNothing[] = {"{}"};

std::string content_of(const std::string& path) {
  std::ifstream stored(path);
  return {std::istreambuf_iterator<char>(stored), {}};
}

TEST(Report, HasEveryPromisedField) {
  machine::RunResult result;
  result.reason = machine::ExitReason::Panic;
  result.exit_code = 10;
  result.message = "Kernel panic - not syncing: \xff";
  result.retired = 12;
  result.virtual_ns = 34;
  result.state_hash = 0xabc;
  result.hashes = {{6, 7}};
  machine::DiskInfo disk;
  disk.name = "cdrom0";
  disk.file = "a\xff.iso";
  disk.bus = machine::DiskBus::Ahci;
  disk.counters.reads = 5;
  result.disks = {disk};
  const auto report =
      nlohmann::json::parse(report_text({}, result, {{"standard output", "it was closed", 3}}));
  EXPECT_EQ(report["exit_reason"], "panic");
  EXPECT_EQ(report["exit_code"], 10);
  EXPECT_EQ(report["lost"][0]["output"], "standard output");
  EXPECT_EQ(report["lost"][0]["bytes"], 3);
  EXPECT_EQ(report["instructions"], 12);
  EXPECT_EQ(report["virtual_ns"], 34);
  EXPECT_TRUE(report.contains("wall_s"));
  EXPECT_EQ(report["cwd"], std::filesystem::current_path().string());
  EXPECT_EQ(report["state_hash"], "0000000000000abc");
  EXPECT_EQ(report["hashes"][0]["instructions"], 6);
  ASSERT_EQ(report["disks"].size(), 1u);
  EXPECT_EQ(report["disks"][0]["name"], "cdrom0");
  EXPECT_EQ(report["disks"][0]["bus"], "ahci");
  EXPECT_EQ(report["disks"][0]["counters"]["reads"], 5);
}

class ReportFiles : public testing::Test {
 protected:
  OutputOpener opener{{.say = [](std::string_view) {}, .pause = [](std::chrono::milliseconds) {}}};
};

TEST_F(ReportFiles, AWrongPathIsKnownAtOnce) {
  EXPECT_FALSE(ReportFile::open("report", "/nonexistent/report.json", opener).ok());
  EXPECT_TRUE(ReportFile::open("report", "", opener).ok());
}

TEST_F(ReportFiles, TheEndTakesThePlaceOfWhatStoodThereMeanwhile) {
  const std::string path = testing::TempDir() + "/report.json";
  {
    Result<ReportFile> file = ReportFile::open("report", path, opener);
    ASSERT_TRUE(file.ok());
    file.value().write_for_now(unfinished_report_text() + std::string(100, ' '));
    std::ifstream meanwhile(path);
    EXPECT_EQ(nlohmann::json::parse(meanwhile)["exit_reason"], "unfinished");
    EXPECT_TRUE(file.value().write(kNothing).ok());
  }
  EXPECT_EQ(content_of(path), "{}");
  Result<ReportFile> full = ReportFile::open("report", "/dev/full", opener);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full.value().write(kNothing).error().message, "No space left on device");
}

TEST_F(ReportFiles, AReaderThatNeverReadsIsLeftWhenTheRunIsToEnd) {
  const std::string path = testing::TempDir() + "/report_fifo";
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const machine::HostFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Result<ReportFile> file = ReportFile::open("report", path, opener);
  ASSERT_TRUE(file.ok());
  unsigned asked = 0;
  file.value().give_up_when([&] { return ++asked > 2; });
  const std::string texts[] = {std::string(1 << 20, 'x')};
  EXPECT_EQ(file.value().write(texts).error().message, "nobody reads it");
  EXPECT_GT(asked, 2u);
  EXPECT_TRUE(file.value().write(kNothing).ok()) << "nothing follows half a report";
}

/// Whatever there is room for, what stands in the file is a whole report or nothing.
TEST_F(ReportFiles, APartOfAReportIsNone) {
  machine::RunResult result;
  result.reason = machine::ExitReason::Timeout;
  result.exit_code = 20;
  const std::string texts[] = {std::string(5000, 'x'), short_report_text(result, {}),
                               shortest_report_text(result)};
  ASSERT_LT(texts[2].size(), 60u);
  const std::string path = testing::TempDir() + "/short_report.json";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto written_within = [&](rlim_t bytes) {
    Result<ReportFile> file = ReportFile::open("report", path, opener);
    const rlimit small{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    file.value().write_for_now(unfinished_report_text());
    const std::string error = file.value().write(texts).error().message;
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_NE(error.find("ulimit -f"), std::string::npos) << error;
    return content_of(path);
  };
  EXPECT_EQ(written_within(texts[1].size()), texts[1]);
  EXPECT_EQ(written_within(texts[1].size() - 1), texts[2]);
  EXPECT_EQ(written_within(texts[2].size() - 1), "");
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(nlohmann::json::parse(texts[2])["exit_reason"], "timeout");
}

}  // namespace
}  // namespace reprise::frontend
