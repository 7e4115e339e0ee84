#include "frontend/escape_keys.h"

#include <gtest/gtest.h>

#include <string_view>

namespace reprise::frontend {
namespace {

EscapeKeys::Outcome type(EscapeKeys& keys, std::string_view text) {
  return keys.take({reinterpret_cast<const u8*>(text.data()), text.size()});
}

TEST(EscapeKeys, OrdinaryKeysGoToTheGuest) {
  EscapeKeys keys;
  const auto outcome = type(keys, "ls\r\x03");
  EXPECT_EQ(outcome.to_guest, (std::vector<u8>{'l', 's', '\r', 3}));
  EXPECT_FALSE(outcome.quit);
}

TEST(EscapeKeys, CommandsMayArriveInPieces) {
  EscapeKeys keys;
  EXPECT_TRUE(type(keys, "a\x01").to_guest == std::vector<u8>{'a'});
  const auto outcome = type(keys, "xb");
  EXPECT_TRUE(outcome.quit);
  EXPECT_EQ(outcome.to_guest, std::vector<u8>{'b'});
}

TEST(EscapeKeys, HelpLiteralAndUnknown) {
  EscapeKeys keys;
  EXPECT_TRUE(type(keys, "\x01h").help);
  EXPECT_TRUE(type(keys,
                   "\x01"
                   "c")
                  .monitor);
  EXPECT_FALSE(type(keys, "c").monitor);
  const auto outcome = type(keys,
                            "\x01"
                            "bh");
  EXPECT_TRUE(outcome.line_break);
  EXPECT_EQ(outcome.to_guest, std::vector<u8>{'h'});
  EXPECT_EQ(type(keys, "\x01\x01").to_guest, std::vector<u8>{1});
  EXPECT_TRUE(type(keys, "\x01z").to_guest.empty());
  EXPECT_EQ(type(keys, "z").to_guest, std::vector<u8>{'z'});
}

}  // namespace
}  // namespace reprise::frontend
