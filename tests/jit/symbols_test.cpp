// Names of guest addresses, and lists of passes and dumps.
#include "jit/engine/symbols.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "jit/jit_options.h"

namespace reprise::jit {
namespace {

struct TextFile {
  explicit TextFile(const std::string& text) : path(testing::TempDir() + "symbols_test.map") {
    std::ofstream(path) << text;
  }
  ~TextFile() { std::remove(path.c_str()); }
  std::string path;
};

TEST(Symbols, NamesTheFunctionAndTheDistance) {
  const TextFile file(
      "ffffffff81000100 T second\nffffffff81000000 T first\nffffffff81000080 d "
      "data\nnonsense\nffffffff81000200 t third\n");
  const Result<Symbols> symbols = Symbols::load(file.path);
  ASSERT_TRUE(symbols.ok());
  EXPECT_EQ(symbols.value().name(0xffffffff81000000), "first");
  EXPECT_EQ(symbols.value().name(0xffffffff810000ff), "first+0xff");
  EXPECT_EQ(symbols.value().name(0xffffffff81000100), "second");
  EXPECT_EQ(symbols.value().name(0xffffffff81000234), "third+0x34");
  EXPECT_EQ(symbols.value().name(0x401000), "0x401000");
  EXPECT_EQ(symbols.value().name(0xffffffffff600000), "0xffffffffff600000") << "too far from any";
}

TEST(Symbols, WithoutAFileThereAreNoNames) {
  EXPECT_EQ(Symbols::load("").value().name(0x1234), "0x1234");
  EXPECT_EQ(Symbols::load("/nonexistent/a\x1b[2J").error().message,
            "symbols '/nonexistent/a\\x1b[2J' cannot be read.");
  const TextFile empty("no symbols here\n");
  EXPECT_FALSE(Symbols::load(empty.path).ok());
}

TEST(JitOptions, PassesAndDumpsByName) {
  for (unsigned i = 0; i < kPassNames.size(); ++i) {
    const Result<PassSet> one = parse_passes(kPassNames[i]);
    ASSERT_TRUE(one.ok());
    for (unsigned k = 0; k < kPassNames.size(); ++k) EXPECT_EQ(one.value().has(static_cast<Pass>(k)), i == k);
  }
  EXPECT_EQ(parse_passes("all").value(), PassSet::all());
  EXPECT_FALSE(parse_passes("").ok());
  EXPECT_FALSE(parse_passes("groups,,flags").ok());
  EXPECT_EQ(parse_dump("guest,host").value(), 5);
  EXPECT_FALSE(parse_dump("Guest").ok());
}

}  // namespace
}  // namespace reprise::jit
