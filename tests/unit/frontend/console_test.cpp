#include "frontend/console.h"

#include <gtest/gtest.h>

namespace reprise::frontend {
namespace {

struct Screen {
  std::string text;
  Console console{[this](std::string_view bytes) { text += bytes; }};
  void guest(std::string_view bytes) {
    console.write({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
  }
};

TEST(Console, TheGuestsOutputWaitsForThePrompt) {
  Screen screen;
  screen.guest("one");
  EXPECT_EQ(screen.text, "one");
  screen.console.enter_prompt();
  screen.guest("two");
  screen.console.show("> ", "> ");
  EXPECT_EQ(screen.text, "one> ");
  screen.guest("three");
  screen.console.leave_prompt();
  EXPECT_EQ(screen.text, "one> twothree");
  screen.guest("four");
  EXPECT_EQ(screen.text, "one> twothreefour");
}

TEST(Console, MuchOutputIsShownAboveThePrompt) {
  Screen screen;
  screen.console.enter_prompt();
  screen.console.show("> in", "> in");
  const std::string much(Console::kMaxHeldBytes, 'x');
  screen.guest(much);
  EXPECT_EQ(screen.text, "> in");
  screen.guest("y");
  EXPECT_EQ(screen.text, "> in\r\n" + much + "y\r\n> in");
}

TEST(Console, NothingIsLostAtTheEnd) {
  std::string text;
  {
    Console console([&](std::string_view bytes) { text += bytes; });
    console.enter_prompt();
    const u8 byte = 'z';
    console.write({&byte, 1});
  }
  EXPECT_EQ(text, "z");
}

}  // namespace
}  // namespace reprise::frontend
