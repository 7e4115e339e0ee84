#include "machine/panic_watch.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

struct Capture final : devices::CharBackend {
  std::string text;
  void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
};

struct PanicWatchTest : testing::Test {
  Capture out;
  PanicWatch watch{out};
  void print(std::string_view text) {
    for (const char c : text) {  // one byte at a time, as a UART does
      const u8 byte = static_cast<u8>(c);
      watch.write({&byte, 1});
    }
  }
};

TEST_F(PanicWatchTest, PassesEverythingOn) {
  print("hello\r\n");
  EXPECT_EQ(out.text, "hello\r\n");
  EXPECT_FALSE(watch.suspected());
}

TEST_F(PanicWatchTest, SeesAPanicLineWithAndWithoutTimeStamp) {
  print("[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs");
  EXPECT_FALSE(watch.suspected()) << "the line has not ended";
  print("\r\n");
  EXPECT_TRUE(watch.suspected());
  EXPECT_EQ(watch.message(), "Kernel panic - not syncing: VFS: Unable to mount root fs");

  PanicWatch bare(out);
  const std::string_view line = "Kernel panic - not syncing: x\n";
  bare.write({reinterpret_cast<const u8*>(line.data()), line.size()});
  EXPECT_TRUE(bare.suspected());
}

TEST_F(PanicWatchTest, KnowsWhenTheKernelHasNothingLeftToDo) {
  print("[ 1.0] ---[ end Kernel panic - not syncing: of a program ]---\n");
  EXPECT_FALSE(watch.ended());
  print("[ 1.0] Kernel panic - not syncing: x\n[ 1.1] CPU: 0 PID: 1\n");
  EXPECT_FALSE(watch.ended());
  print("[ 1.2] ---[ end Kernel panic - not syncing: x ]---\n");
  EXPECT_TRUE(watch.ended());
  watch.refute();
  EXPECT_FALSE(watch.ended());
  print("Kernel panic: 2.4\nRebooting in 5 seconds..\n");
  EXPECT_TRUE(watch.ended());
}

TEST(PanicOnScreen, IsTheLineThatSaysSo) {
  EXPECT_EQ(
      panic_line_on_screen("text 80x25\n[    1.2] Kernel panic - not syncing: VFS\n[ 1.3] CPU: 0\n", 80),
      "Kernel panic - not syncing: VFS");
  EXPECT_EQ(panic_line_on_screen("text\ngrep 'Kernel panic - not syncing'\n", 80), "");
}

TEST(PanicOnScreen, GoesOnInTheNextRow) {
  EXPECT_EQ(panic_line_on_screen("Kernel panic - not syncing: a\u00fcbc\ndef\nCPU: 0\n", 32),
            "Kernel panic - not syncing: a\u00fcbcdef");
  EXPECT_EQ(panic_line_on_screen("[ 1.2] Kernel panic - not syncing: no\ninit\n[ 1.3] x\n", 38),
            "Kernel panic - not syncing: no init");
  EXPECT_EQ(panic_line_on_screen("[ 1.2] Kernel panic - not syncing: no\n[ 1.3] x\n", 38),
            "Kernel panic - not syncing: no");
}

TEST_F(PanicWatchTest, IgnoresTheWordsInsideALine) {
  print("grep: Kernel panic - not syncing\n");
  print("[x] y Kernel panic - not syncing\n");
  EXPECT_FALSE(watch.suspected());
}

TEST_F(PanicWatchTest, EndlessLinesCostNothing) {
  print(std::string(100000, 'x'));
  print("\nKernel panic - not syncing: y\n");
  EXPECT_EQ(watch.message(), "Kernel panic - not syncing: y");
  watch.refute();
  EXPECT_FALSE(watch.suspected());
}

}  // namespace
}  // namespace reprise::machine
