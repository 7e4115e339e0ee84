// What a guest does to the terminal, and what is left of it.
#include "frontend/output/terminal_filter.h"

#include <gtest/gtest.h>

namespace reprise::frontend {
namespace {

struct TerminalFilterTest : testing::Test {
  TerminalFilter filter{[] { return 3u; }};
  /// As it comes from a serial port.
  std::string take(std::string_view text) {
    std::string out;
    for (const char c : text) out += filter.take({&c, 1});
    return out;
  }
  static constexpr std::string_view kScrolledAway =
      "\x1b"
      "7\x1b[m\x1b[3H\n\n\n\x1b"
      "8";
};

TEST_F(TerminalFilterTest, TextPassesAndChangesNothing) {
  EXPECT_EQ(take("a\tb\r\nc\x07\xff"), "a\tb\r\nc\x07\xff");
  EXPECT_EQ(filter.restore(), "");
}

TEST_F(TerminalFilterTest, SeaBiosDoesNotDestroyWhatWasThere) {
  // What it prints first on the serial port.
  const std::string out = take(
      "\x1b"
      "c\x1b[?7l\x1b[2J");
  EXPECT_EQ(out, "\x1b[m\x1b[H" + std::string(kScrolledAway) + "\x1b[2J\x1b[2J");
}

TEST_F(TerminalFilterTest, OnlyTheFirstClearingScrollsAway) {
  EXPECT_EQ(take("\x1b[1;1H\x1b[J"), "\x1b[1;1H" + std::string(kScrolledAway) + "\x1b[J");
  EXPECT_EQ(take("\x1b[H\x1b[J"), "\x1b[H\x1b[J");
  EXPECT_EQ(take("\x1b[3J"), "");
}

TEST_F(TerminalFilterTest, ErasingBelowTheCursorIsNoClearing) {
  EXPECT_EQ(take("\x1b[5;1H\x1b[J"), "\x1b[5;1H\x1b[J");
  EXPECT_EQ(take("\x1b[Hx\x1b[J"), "\x1b[Hx\x1b[J");
}

TEST_F(TerminalFilterTest, ModesAreSetBack) {
  EXPECT_EQ(take("\x1b[?1049;7;25l"), "\x1b[?1049;25l");
  EXPECT_EQ(take("\x1b[?2004h\x1b[?1h\x1b[?1l\x1b[2;5r"), "\x1b[?2004h\x1b[?1h\x1b[?1l\x1b[2;5r");
  EXPECT_EQ(filter.restore(),
            "\x1b[?2004l\x1b[?25h\x1b"
            "7\x1b[r\x1b"
            "8\x1b[m\x1b[?7h\x1b[?25h");
  EXPECT_EQ(filter.restore(), "");
}

TEST_F(TerminalFilterTest, WhatIsNoSequencePasses) {
  EXPECT_EQ(take("\x1b"), "");
  EXPECT_EQ(filter.restore(), "\x1b");
  EXPECT_EQ(take("\x1b\x1b[m"), "\x1b\x1b[m");
  EXPECT_EQ(take("\x1b(B\x1b[\x07"), "\x1b(B\x1b[\x07");
  const std::string endless = "\x1b[" + std::string(1000, '1');
  EXPECT_EQ(take(endless), endless);
}

}  // namespace
}  // namespace reprise::frontend
