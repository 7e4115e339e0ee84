// The table of keys agrees with itself, with the kernel's codes and with the controller's translation.
#include "common/keys.h"

#include <gtest/gtest.h>
#include <linux/input-event-codes.h>

#include <set>

namespace reprise {
namespace {

TEST(Keys, EachHasItsNameAndItsCodes) {
  std::set<std::string_view> names;
  std::set<u16> set1, set2;
  std::set<u8> set3;
  u8 before = 0;
  for (const KeyRow& row : key_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(set1.insert(row.set1).second) << row.name;
    EXPECT_TRUE(set2.insert(row.set2).second) << row.name;
    if (row.set3 != 0) {
      EXPECT_TRUE(set3.insert(row.set3).second) << row.name;
    }
    EXPECT_GT(static_cast<u8>(row.key), before);
    before = static_cast<u8>(row.key);
    EXPECT_EQ(find_key(row.key), &row);
    EXPECT_EQ(find_key(row.name), &row);
    EXPECT_EQ(name_of(row.key), row.name);
    EXPECT_LT(row.set1 & 0xff, 0x80) << "with bit 7 it comes up";
    EXPECT_EQ(row.set1 >> 8, row.set2 >> 8);
  }
  EXPECT_EQ(find_key("nothing"), nullptr);
  EXPECT_EQ(find_key(Key::None), nullptr);
  EXPECT_EQ(name_of(Key::None), "none");
  EXPECT_EQ(find_key("menu"), find_key("compose"));
}

TEST(Keys, CodesAreTheKernels) {
  constexpr std::pair<std::string_view, int> kCodes[] = {{"a", KEY_A},
                                                         {"ret", KEY_ENTER},
                                                         {"ctrl_r", KEY_RIGHTCTRL},
                                                         {"meta_l", KEY_LEFTMETA},
                                                         {"f12", KEY_F12},
                                                         {"f24", KEY_F24},
                                                         {"kp_enter", KEY_KPENTER},
                                                         {"print", KEY_SYSRQ},
                                                         {"less", KEY_102ND},
                                                         {"pause", KEY_PAUSE},
                                                         {"compose", KEY_COMPOSE},
                                                         {"volumeup", KEY_VOLUMEUP},
                                                         {"yen", KEY_YEN},
                                                         {"ro", KEY_RO},
                                                         {"henkan", KEY_HENKAN},
                                                         {"audioplay", KEY_PLAYPAUSE},
                                                         {"ac_home", KEY_HOMEPAGE},
                                                         {"delete", KEY_DELETE},
                                                         {"grave_accent", KEY_GRAVE},
                                                         {"mediaselect", KEY_MEDIA},
                                                         {"ac_refresh", KEY_REFRESH},
                                                         {"wake", KEY_WAKEUP},
                                                         {"computer", KEY_COMPUTER},
                                                         {"kp_comma", KEY_KPCOMMA}};
  for (const auto& [name, code] : kCodes) {
    ASSERT_NE(find_key(name), nullptr) << name;
    EXPECT_EQ(static_cast<int>(find_key(name)->key), code) << name;
  }
}

TEST(Keys, CharactersOfTheUsLayout) {
  for (int code = 0x20; code < 0x7f; ++code) EXPECT_TRUE(us_keystroke(static_cast<char>(code))) << code;
  std::set<std::pair<Key, bool>> strokes;
  for (int code = 0x20; code < 0x7f; ++code) {
    const auto stroke = us_keystroke(static_cast<char>(code));
    EXPECT_NE(stroke->key, Key::None);
    EXPECT_TRUE(strokes.insert({stroke->key, stroke->shift}).second) << code;
  }
  EXPECT_EQ(name_of(us_keystroke('\n')->key), "ret");
  EXPECT_EQ(name_of(us_keystroke('?')->key), "slash");
  EXPECT_TRUE(us_keystroke('?')->shift);
  EXPECT_FALSE(us_keystroke('\x01'));
  EXPECT_FALSE(us_keystroke('\xe4'));
  EXPECT_EQ(keys_between_dashes("ctrl-alt-f1")->size(), 3u);
  EXPECT_FALSE(keys_between_dashes("ctrl-"));
  EXPECT_FALSE(keys_between_dashes(""));
}

}  // namespace
}  // namespace reprise
