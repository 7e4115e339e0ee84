#include "verdict/log_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace reprise::verdict {
namespace {

TEST(LogLine, StampsAreTakenAway) {
  EXPECT_EQ(without_stamp("[    0.060000] KTAP version 1"), "KTAP version 1");
  EXPECT_EQ(without_stamp("[12345.060000]     ok 1 a"), "    ok 1 a");
  EXPECT_EQ(without_stamp("<6>[    0.060000] text"), "text");
  EXPECT_EQ(without_stamp("[    0.060000][    T1] text"), "text");
  EXPECT_EQ(without_stamp("[    0.060000][   C12]  text"), " text");
  EXPECT_EQ(without_stamp("[ BUG: Invalid wait context ]"), "[ BUG: Invalid wait context ]");
  EXPECT_EQ(without_stamp("[drm] text"), "[drm] text");
  EXPECT_EQ(without_stamp("[    0.060000] [drm] text"), "[drm] text");
  EXPECT_EQ(without_stamp("[1] x"), "[1] x");
  EXPECT_EQ(without_stamp("[.] x"), "[.] x");
  EXPECT_EQ(without_stamp("["), "[");
  EXPECT_EQ(without_stamp("<6"), "<6");
  EXPECT_EQ(without_stamp(""), "");
}

TEST(LineSplitter, SplitsBytesHoweverTheyCome) {
  const std::string text = "one\r\ntwo\n\nol\rnew\nlast";
  const std::vector<std::string> wanted = {"one", "two", "", "new", "last"};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    std::vector<std::string> lines;
    LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); });
    for (std::size_t at = 0; at < text.size(); at += piece)
      splitter.write(std::string_view(text).substr(at, piece));
    splitter.end();
    EXPECT_EQ(lines, wanted) << piece;
  }
}

TEST(LineSplitter, LongLinesAreCut) {
  std::size_t lines = 0, bytes = 0;
  LineSplitter splitter([&](std::string_view line) {
    ++lines;
    bytes += line.size();
  });
  splitter.write(std::string(3 * LineSplitter::kMaxBytes, 'x'));
  splitter.end();
  EXPECT_EQ(lines, 3U);
  EXPECT_EQ(bytes, 3 * LineSplitter::kMaxBytes);
}

}  // namespace
}  // namespace reprise::verdict
