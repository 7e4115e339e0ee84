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

/// Each with what alone sets it back, and what the guest may say to do so itself.
TEST_F(TerminalFilterTest, WhatIsChangedIsSetBackAndNothingElse) {
  constexpr std::string_view kAlways = "\x1b[m\x1b[?7h\x1b[?25h";
  struct Change {
    std::string_view by, undo, undone_by;
  };
  const Change kChanges[] = {
      {"\x1b(0", "\x1b(B", "\x1b(B"},
      {"\x1b)0", "\x1b)B", "\x1b)B"},
      {"\x0e", "\x0f", "\x0f"},
      {"\x1bn", "\x0f", "\x0f"},
      {"\x1b%@", "\x1b%G", "\x1b%G"},
      {"\x1b[4h", "\x1b[4l", "\x1b[4l"},
      {"\x1b[20h", "\x1b[20l", "\x1b[20l"},
      {"\x1b[2;4h", "\x1b[2l\x1b[4l", "\x1b[2;4l"},
      {"\x1b[12l", "\x1b[12h", "\x1b[12h"},
      {"\x1b=", "\x1b>", "\x1b>"},
      {"\x1b[?1h", "\x1b[?1l", "\x1b[?1l"},
      {"\x1b[?1003;1006h", "\x1b[?1003l\x1b[?1006l", "\x1b[?1003;1006l"},
      {"\x1b[?1049h", "\x1b[?1049l\x1b(B\x0f", ""},
      {"\x1b[?8l", "\x1b[?8h", "\x1b[?8h"},
      {"\x1b[?6h\x1b[2;5r", "\x1b[?6l\x1b[r\x1b[999H", ""},
      {"\x1b[5 q", "\x1b[0 q", "\x1b[0 q"},
      {"\x1b[>4;2m", "\x1b[>4m", "\x1b[>4m"},
      {"\x1b[>4n", "\x1b[>4m", "\x1b[>4m"},
      {"\x1b[>n", "\x1b[>2m", "\x1b[>m"},
      {"\x1b[>1;2m\x1b[>2;1m", "\x1b[>1m\x1b[>2m", "\x1b[>1m\x1b[>2m"},
      {"\x1b[>1u\x1b[>5u\x1b[>u", "\x1b[<3u", "\x1b[<u\x1b[<2u"},
      {"\x1b[=5;1u", "\x1b[=0u", "\x1b[=0u"},
      {"\x1b[>1u\x1b[=5u", "\x1b[<1u", "\x1b[<9u"},
      {"\x1b[>1u\x1b[?47h\x1b[>3u", "\x1b[<1u\x1b[?47l\x1b[<1u", "\x1b[<u\x1b[?47l\x1b[<u"},
      {"\x1b]8;id=a;http://b/\x1b\\", "\x1b]8;;\x1b\\", "\x1b]8;;\x07"},
      {"\x1b[3g", "\x1b[?5W", ""},
      {"\x1b]4;1;red;7;?;200;#010203\x07", "\x1b]104;1\x1b\\\x1b]104;200\x1b\\", ""},
      {"\x1b]11;#000000;red\x1b\\", "\x1b]111\x1b\\\x1b]112\x1b\\", ""},
      {"\x1b]10;?\x07", "", ""},
      {"\x1b]0;a title", "\x18", "\x07"},
      {"\x1bPdata", "\x18", "\x1b\\"},
      {"\x1b]P1aabbcc", "\x1b]R\x1b\\", ""},
  };
  for (const Change& change : kChanges) {
    EXPECT_EQ(take(change.by), change.by);
    EXPECT_EQ(filter.restoring(), std::string(change.undo) + std::string(kAlways)) << change.by.substr(1);
    EXPECT_EQ(filter.restore(), std::string(change.undo) + std::string(kAlways)) << change.by.substr(1);
    EXPECT_EQ(filter.restore(), "");
    if (change.undone_by.empty()) continue;
    take(change.by);
    EXPECT_EQ(take(change.undone_by), change.undone_by);
    EXPECT_EQ(filter.restore(), kAlways) << change.by.substr(1);
  }
}

TEST_F(TerminalFilterTest, AResetSetsBackWhatWasChanged) {
  take("\x1b(0\x1b[2J");
  EXPECT_EQ(take("\x1b"
                 "c"),
            "\x1b(B\x1b[m\x1b[H\x1b[2J");
  EXPECT_EQ(filter.restore(), "\x1b[m\x1b[?7h\x1b[?25h");
}

TEST_F(TerminalFilterTest, ControlCharactersInASequenceDoNotEndIt) {
  EXPECT_EQ(take("\x1b[?1\r04\x7f"
                 "9h"),
            "\r\x1b[?1049h");
  EXPECT_EQ(take("\x1b[?2004\x18h\x1b(\x1a"), "\x18h\x1a");
  EXPECT_EQ(filter.restore(), "\x1b[?1049l\x1b(B\x0f\x1b[m\x1b[?7h\x1b[?25h");
}

TEST_F(TerminalFilterTest, C1ControlsInUtf8AreTracked) {
  EXPECT_EQ(take("\xc2\x9b?2004h\xc2\xa9\xc2\x9d"
                 "11;red\xc2\x9c\xc2\x90q\xc2\x9c\xc2"),
            "\x1b[?2004h\xc2\xa9\x1b]11;red\x1b\\\x1bPq\x1b\\");
  EXPECT_EQ(filter.restore(), "\xc2\x1b[?2004l\x1b]111\x1b\\\x1b[m\x1b[?7h\x1b[?25h");
}

/// After a stop of the program.
TEST_F(TerminalFilterTest, WhatWasSetBackCanBeSetAgain) {
  const std::string_view kChanges =
      "\x1b[=1u\x1b[>5u\x1b[?1049h\x1b[?2004h\x1b[>3u\x1b"
      "7\x1b[2;5r\x1b"
      "8\x1b(0\x1b]11;red\x1b\\\x1b[4h\x1b=\x1b[>4;2m\x1b[1m\x1b[31m";
  take(kChanges);
  const std::string undo = filter.restoring();
  TerminalFilter other([] { return 3u; });
  EXPECT_EQ(other.take(filter.changing()), filter.changing());
  EXPECT_EQ(other.restoring(), undo);
  EXPECT_TRUE(filter.changing().ends_with("\x1b[1m\x1b[31m"));
  take("\x1b[m\x1b[32m\x1b]0;a ti");
  EXPECT_TRUE(filter.changing().ends_with("\x1b[m\x1b[32m\x1b]0;a ti"));
  filter.restore();
  EXPECT_EQ(filter.changing(), "");
}

TEST_F(TerminalFilterTest, Vt52ModeIsNotEntered) { EXPECT_EQ(take("\x1b[?2l\x1b[?2;6l"), "\x1b[?6l"); }

TEST_F(TerminalFilterTest, WhatIsNoSequencePasses) {
  EXPECT_EQ(take("\x1b"), "");
  EXPECT_EQ(filter.restore(), "\x1b");
  EXPECT_EQ(take("\x1b\x1b[m"), "\x1b\x1b[m");
  EXPECT_EQ(take("\x1b(B\x1b[\xff"), "\x1b(B\x1b[\xff");
  const std::string endless = "\x1b[" + std::string(1000, '1');
  EXPECT_EQ(take(endless), endless);
}

}  // namespace
}  // namespace reprise::frontend
