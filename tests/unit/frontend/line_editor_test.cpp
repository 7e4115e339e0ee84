#include "frontend/line_editor.h"

#include <gtest/gtest.h>

namespace reprise::frontend {
namespace {

struct Typist {
  LineEditor editor{"> ", [](std::string_view prefix) {
                      std::vector<std::string> found;
                      for (const std::string word : {"info irq", "info pci", "stop"})
                        if (word.starts_with(prefix)) found.push_back(word);
                      return found;
                    }};
  std::string shown;
  std::vector<std::string> lines;

  Typist& type(std::string_view keys) {
    for (const char key : keys) {
      LineEditor::Outcome outcome = editor.key(static_cast<u8>(key));
      shown += outcome.show;
      if (outcome.line) lines.push_back(*outcome.line);
    }
    return *this;
  }
};

TEST(LineEditor, ALine) {
  Typist typist;
  typist.type("stop\r");
  EXPECT_EQ(typist.lines, std::vector<std::string>{"stop"});
  EXPECT_EQ(typist.shown, "stop\r\n");
}

TEST(LineEditor, EditingKeys) {
  struct Row {
    std::string_view keys, line;
  };
  const Row rows[] = {
      {"sotp\x7f\x7f\x7ftop\r", "stop"},     {"top\x1b[Hs\r", "stop"},        {"stp\x1b[Do\r", "stop"},
      {"xstop\x1b[1~\x1b[3~\r", "stop"},     {"old\x15stop\r", "stop"},       {"stop it\x17\x7f\r", "stop"},
      {"stopped\x02\x02\x02\x0b\r", "stop"}, {"top\x1bOHs\x05!\r", "stop!"},  {"x\x03stop\r", "stop"},
      {"st\x1b[99;99xop\r", "stop"},         {"\x7f\x04\x1b[Astop\r", "stop"}};
  for (const Row& row : rows) {
    Typist typist;
    typist.type(row.keys);
    ASSERT_EQ(typist.lines.size(), 1u) << row.keys;
    EXPECT_EQ(typist.lines[0], row.line) << row.keys;
  }
}

TEST(LineEditor, History) {
  Typist typist;
  typist.type("one\rtwo\rtwo\r\x1b[A\x1b[A\r");
  EXPECT_EQ(typist.lines.back(), "one");
  typist.type("unsent\x1b[A\x1b[B\r");
  EXPECT_EQ(typist.lines.back(), "unsent");
}

TEST(LineEditor, Completion) {
  EXPECT_EQ(Typist().type("st\t\r").lines[0], "stop ");
  Typist typist;
  typist.type("in\t");
  EXPECT_TRUE(typist.shown.ends_with("> info ")) << typist.shown;
  typist.type("\t");
  EXPECT_NE(typist.shown.find("info irq\r\ninfo pci\r\n"), std::string::npos);
  EXPECT_EQ(typist.type("p\t\r").lines[0], "info pci ");
}

TEST(LineEditor, LinesAreBounded) {
  Typist typist;
  typist.type(std::string(100'000, 'x') + "\r");
  EXPECT_LE(typist.lines[0].size(), 1024u);
}

TEST(LineEditor, AnyBytes) {
  Typist typist;
  u32 random = 1;
  for (int i = 0; i < 200'000; ++i) {
    random = random * 1664525 + 1013904223;
    const char key = static_cast<char>(random >> 24);
    typist.type({&key, 1});
    typist.shown.clear();
  }
  for (const std::string& line : typist.lines)
    for (const char character : line) ASSERT_TRUE(character >= ' ' && character < 0x7f);
}

}  // namespace
}  // namespace reprise::frontend
