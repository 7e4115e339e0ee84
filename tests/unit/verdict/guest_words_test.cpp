#include "verdict/guest_words.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace reprise::verdict {
namespace {

struct Heard {
  std::string printed;
  std::vector<std::string> said;
};

Heard hear(std::string_view text, std::size_t piece) {
  Heard heard;
  GuestWords words("tok", {.printed = [&](std::string_view bytes) { heard.printed += bytes; },
                           .said = [&](std::string_view word) { heard.said.emplace_back(word); }});
  for (std::size_t at = 0; at < text.size(); at += piece) words.write(text.substr(at, piece));
  words.end();
  return heard;
}

TEST(GuestWords, WordsAreTakenOutOfTheOutputHoweverItComes) {
  const std::string text = "a\x1etok begins\nout\x1e\x1eput\x1etok\x1etokx no\n\x1etok exit 3\r\nz\x1eto";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Heard heard = hear(text, piece);
    EXPECT_EQ(heard.printed, "aout\x1e\x1eput\x1etok\x1etokx no\nz\x1eto") << piece;
    EXPECT_EQ(heard.said, (std::vector<std::string>{"begins", "exit 3"})) << piece;
  }
}

TEST(GuestWords, AWordWithoutEndIsOutput) {
  const std::string text = "\x1etok " + std::string(5000, 'x');
  EXPECT_EQ(hear(text, 7).printed, text);
}

TEST(GuestWords, EveryByteIsPrintedOrSaid) {
  constexpr std::string_view kBytes = "\x1etok e\n";
  for (u64 seed = 0; seed < 500; ++seed) {
    std::mt19937_64 draw(seed);
    std::string text;
    for (int i = 0; i < 200; ++i) text += kBytes[draw() % kBytes.size()];
    const Heard whole = hear(text, text.size());
    const Heard pieces = hear(text, 1 + draw() % 9);
    EXPECT_EQ(whole.printed, pieces.printed);
    EXPECT_EQ(whole.said, pieces.said);
    std::size_t bytes = whole.printed.size();
    for (const std::string& word : whole.said) bytes += word.size() + 6;
    EXPECT_EQ(bytes, text.size());
  }
}

}  // namespace
}  // namespace reprise::verdict
