// TapParser with lists that are made, cut off, and mixed with noise.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/verdict/tap_text_in.h"

namespace reprise::verdict {
namespace {

using Draw = std::mt19937_64;

/// A list of tests that all passed, with its lines.
struct Made {
  std::vector<std::string> lines;
  std::string in_short;
  u64 leaves = 0;
};

// NOLINTNEXTLINE(misc-no-recursion)
void make(Draw& draw, const std::string& indent, unsigned deepest, Made& made) {
  const u64 count = 1 + draw() % 4;
  made.lines.push_back(indent + "KTAP version 1");
  made.lines.push_back(fmt::format("{}1..{}", indent, count));
  for (u64 i = 1; i <= count; ++i) {
    const std::string name = fmt::format("t{}", draw() % 1000);
    if (!made.in_short.empty() && !made.in_short.ends_with('[')) made.in_short += "; ";
    made.in_short += "pass " + name;
    if (deepest != 0 && draw() % 3 == 0) {
      made.in_short += " [";
      make(draw, indent + "    ", deepest - 1, made);
      made.in_short += ']';
    } else {
      ++made.leaves;
    }
    made.lines.push_back(fmt::format("{}ok {} {}", indent, i, name));
  }
}

Made make_list(u64 seed) {
  Draw draw(seed);
  Made made;
  make(draw, "", 4, made);
  return made;
}

TEST(TapNoise, MadeListsAreReadAsTheyWereMade) {
  for (u64 seed = 0; seed < 300; ++seed) {
    const Made made = make_list(seed);
    TapParser parser;
    Draw draw(seed);
    for (const std::string& line : made.lines) {
      // A kernel's log stamps lines, and says other things between.
      parser.take(fmt::format("[{:5}.{:06}] {}", draw() % 100, draw() % 1000000, line), "@1");
      if (draw() % 3 == 0) parser.take("[    1.000000] usb 1-1: new device, ok 7 ports", "@1");
      if (draw() % 5 == 0) parser.take("# a note", "@1");
    }
    parser.end("cut off");
    ASSERT_EQ(in_short(parser.results()), made.in_short) << "seed " << seed;
    ASSERT_EQ(count_results(parser.results()).passed, made.leaves) << "seed " << seed;
  }
}

TEST(TapNoise, WhatIsCutOffAnywhereNeverPasses) {
  for (u64 seed = 0; seed < 100; ++seed) {
    const Made made = make_list(seed);
    for (std::size_t lines = 1; lines < made.lines.size(); ++lines) {
      TapParser parser;
      for (std::size_t i = 0; i < lines; ++i) parser.take(made.lines[i], "@1");
      parser.end("cut off");
      const TapCounts counts = count_results(parser.results());
      ASSERT_FALSE(counts.good()) << "seed " << seed << ", " << lines << " lines";
      ASSERT_LE(counts.passed, made.leaves);
    }
  }
}

TEST(TapNoise, NothingThatAGuestPrintsBreaksIt) {
  const std::string_view kPieces[] = {"ok ",
                                      "not ok ",
                                      "1..",
                                      "KTAP version 1",
                                      "TAP version 13",
                                      "# ",
                                      "    ",
                                      "  ",
                                      "1",
                                      "2",
                                      "7",
                                      " # SKIP",
                                      " # TODO x",
                                      "Bail out!",
                                      "Subtest: ",
                                      "\t",
                                      "name",
                                      "- ",
                                      "\xff\xfe",
                                      "[    1.5] ",
                                      "#",
                                      "100000",
                                      "99999",
                                      ""};
  for (u64 seed = 0; seed < 300; ++seed) {
    Draw draw(seed);
    TapParser parser;
    parser.take("TAP version 13", "@1");
    for (int line = 0; line < 60; ++line) {
      std::string text;
      for (u64 i = draw() % 7; i != 0; --i) text += kPieces[draw() % std::size(kPieces)];
      parser.take(text, "@2");
    }
    parser.end("cut off");
    const TapCounts counts = count_results(parser.results());
    ASSERT_GE(counts.all(), 1U);
    ASSERT_LE(counts.all(), TapParser::kMaxResults);
  }
}

TEST(TapNoise, WhatIsKeptHasABound) {
  TapParser parser;
  for (int i = 0; i < 50; ++i) {
    parser.take("TAP version 13", "@1");
    parser.take("1..100000", "@1");
  }
  parser.end("cut off");
  EXPECT_EQ(count_results(parser.results()).all(), TapParser::kMaxResults);
}

}  // namespace
}  // namespace reprise::verdict
