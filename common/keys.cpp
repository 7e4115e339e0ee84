#include "common/keys.h"

#include <algorithm>
#include <array>

#include "common/words.h"

namespace reprise {
namespace {

constexpr KeyType kMakeOnly = KeyType::MakeOnly;
constexpr KeyType kMakeBreak = KeyType::MakeBreak;
constexpr KeyType kTypematic = KeyType::Typematic;

constexpr KeyRow kRows[] = {
    {Key{1}, "esc", 0x01, 0x76, 0x08, kMakeOnly},
    {Key{2}, "1", 0x02, 0x16, 0x16, kTypematic},
    {Key{3}, "2", 0x03, 0x1e, 0x1e, kTypematic},
    {Key{4}, "3", 0x04, 0x26, 0x26, kTypematic},
    {Key{5}, "4", 0x05, 0x25, 0x25, kTypematic},
    {Key{6}, "5", 0x06, 0x2e, 0x2e, kTypematic},
    {Key{7}, "6", 0x07, 0x36, 0x36, kTypematic},
    {Key{8}, "7", 0x08, 0x3d, 0x3d, kTypematic},
    {Key{9}, "8", 0x09, 0x3e, 0x3e, kTypematic},
    {Key{10}, "9", 0x0a, 0x46, 0x46, kTypematic},
    {Key{11}, "0", 0x0b, 0x45, 0x45, kTypematic},
    {Key{12}, "minus", 0x0c, 0x4e, 0x4e, kTypematic},
    {Key{13}, "equal", 0x0d, 0x55, 0x55, kTypematic},
    {Key{14}, "backspace", 0x0e, 0x66, 0x66, kTypematic},
    {Key{15}, "tab", 0x0f, 0x0d, 0x0d, kTypematic},
    {Key{16}, "q", 0x10, 0x15, 0x15, kTypematic},
    {Key{17}, "w", 0x11, 0x1d, 0x1d, kTypematic},
    {Key{18}, "e", 0x12, 0x24, 0x24, kTypematic},
    {Key{19}, "r", 0x13, 0x2d, 0x2d, kTypematic},
    {Key{20}, "t", 0x14, 0x2c, 0x2c, kTypematic},
    {Key{21}, "y", 0x15, 0x35, 0x35, kTypematic},
    {Key{22}, "u", 0x16, 0x3c, 0x3c, kTypematic},
    {Key{23}, "i", 0x17, 0x43, 0x43, kTypematic},
    {Key{24}, "o", 0x18, 0x44, 0x44, kTypematic},
    {Key{25}, "p", 0x19, 0x4d, 0x4d, kTypematic},
    {Key{26}, "bracket_left", 0x1a, 0x54, 0x54, kTypematic},
    {Key{27}, "bracket_right", 0x1b, 0x5b, 0x5b, kTypematic},
    {Key{28}, "ret", 0x1c, 0x5a, 0x5a, kTypematic},
    {Key{29}, "ctrl", 0x1d, 0x14, 0x11, kMakeBreak},
    {Key{30}, "a", 0x1e, 0x1c, 0x1c, kTypematic},
    {Key{31}, "s", 0x1f, 0x1b, 0x1b, kTypematic},
    {Key{32}, "d", 0x20, 0x23, 0x23, kTypematic},
    {Key{33}, "f", 0x21, 0x2b, 0x2b, kTypematic},
    {Key{34}, "g", 0x22, 0x34, 0x34, kTypematic},
    {Key{35}, "h", 0x23, 0x33, 0x33, kTypematic},
    {Key{36}, "j", 0x24, 0x3b, 0x3b, kTypematic},
    {Key{37}, "k", 0x25, 0x42, 0x42, kTypematic},
    {Key{38}, "l", 0x26, 0x4b, 0x4b, kTypematic},
    {Key{39}, "semicolon", 0x27, 0x4c, 0x4c, kTypematic},
    {Key{40}, "apostrophe", 0x28, 0x52, 0x52, kTypematic},
    {Key{41}, "grave_accent", 0x29, 0x0e, 0x0e, kTypematic},
    {Key{42}, "shift", 0x2a, 0x12, 0x12, kMakeBreak},
    {Key{43}, "backslash", 0x2b, 0x5d, 0x5c, kTypematic},
    {Key{44}, "z", 0x2c, 0x1a, 0x1a, kTypematic},
    {Key{45}, "x", 0x2d, 0x22, 0x22, kTypematic},
    {Key{46}, "c", 0x2e, 0x21, 0x21, kTypematic},
    {Key{47}, "v", 0x2f, 0x2a, 0x2a, kTypematic},
    {Key{48}, "b", 0x30, 0x32, 0x32, kTypematic},
    {Key{49}, "n", 0x31, 0x31, 0x31, kTypematic},
    {Key{50}, "m", 0x32, 0x3a, 0x3a, kTypematic},
    {Key{51}, "comma", 0x33, 0x41, 0x41, kTypematic},
    {Key{52}, "dot", 0x34, 0x49, 0x49, kTypematic},
    {Key{53}, "slash", 0x35, 0x4a, 0x4a, kTypematic},
    {Key{54}, "shift_r", 0x36, 0x59, 0x59, kMakeBreak},
    {Key{55}, "kp_multiply", 0x37, 0x7c, 0x7e, kMakeOnly},
    {Key{56}, "alt", 0x38, 0x11, 0x19, kMakeBreak},
    {Key{57}, "spc", 0x39, 0x29, 0x29, kTypematic},
    {Key{58}, "caps_lock", 0x3a, 0x58, 0x14, kMakeBreak},
    {Key{59}, "f1", 0x3b, 0x05, 0x07, kMakeOnly},
    {Key{60}, "f2", 0x3c, 0x06, 0x0f, kMakeOnly},
    {Key{61}, "f3", 0x3d, 0x04, 0x17, kMakeOnly},
    {Key{62}, "f4", 0x3e, 0x0c, 0x1f, kMakeOnly},
    {Key{63}, "f5", 0x3f, 0x03, 0x27, kMakeOnly},
    {Key{64}, "f6", 0x40, 0x0b, 0x2f, kMakeOnly},
    {Key{65}, "f7", 0x41, 0x83, 0x37, kMakeOnly},
    {Key{66}, "f8", 0x42, 0x0a, 0x3f, kMakeOnly},
    {Key{67}, "f9", 0x43, 0x01, 0x47, kMakeOnly},
    {Key{68}, "f10", 0x44, 0x09, 0x4f, kMakeOnly},
    {Key{69}, "num_lock", 0x45, 0x77, 0x76, kMakeOnly},
    {Key{70}, "scroll_lock", 0x46, 0x7e, 0x5f, kMakeOnly},
    {Key{71}, "kp_7", 0x47, 0x6c, 0x6c, kMakeOnly},
    {Key{72}, "kp_8", 0x48, 0x75, 0x75, kMakeOnly},
    {Key{73}, "kp_9", 0x49, 0x7d, 0x7d, kMakeOnly},
    {Key{74}, "kp_subtract", 0x4a, 0x7b, 0x84, kMakeOnly},
    {Key{75}, "kp_4", 0x4b, 0x6b, 0x6b, kMakeOnly},
    {Key{76}, "kp_5", 0x4c, 0x73, 0x73, kMakeOnly},
    {Key{77}, "kp_6", 0x4d, 0x74, 0x74, kMakeOnly},
    {Key{78}, "kp_add", 0x4e, 0x79, 0x7c, kTypematic},
    {Key{79}, "kp_1", 0x4f, 0x69, 0x69, kMakeOnly},
    {Key{80}, "kp_2", 0x50, 0x72, 0x72, kMakeOnly},
    {Key{81}, "kp_3", 0x51, 0x7a, 0x7a, kMakeOnly},
    {Key{82}, "kp_0", 0x52, 0x70, 0x70, kMakeOnly},
    {Key{83}, "kp_decimal", 0x53, 0x71, 0x71, kMakeOnly},
    {Key{86}, "less", 0x56, 0x61, 0x13, kTypematic},
    {Key{87}, "f11", 0x57, 0x78, 0x56, kMakeOnly},
    {Key{88}, "f12", 0x58, 0x07, 0x5e, kMakeOnly},
    {Key{89}, "ro", 0x73, 0x51, 0x51, kTypematic},
    {Key{92}, "henkan", 0x79, 0x64, 0x86, kTypematic},
    {Key{93}, "katakanahiragana", 0x70, 0x13, 0x87, kTypematic},
    {Key{94}, "muhenkan", 0x7b, 0x67, 0x85, kTypematic},
    {Key{96}, "kp_enter", 0xe01c, 0xe05a, 0x79, kMakeOnly},
    {Key{97}, "ctrl_r", 0xe01d, 0xe014, 0x58, kMakeOnly},
    {Key{98}, "kp_divide", 0xe035, 0xe04a, 0x77, kMakeOnly},
    {Key{99}, "print", 0xe037, 0xe07c, 0x57, kMakeOnly},
    {Key{100}, "alt_r", 0xe038, 0xe011, 0x39, kMakeOnly},
    {Key{102}, "home", 0xe047, 0xe06c, 0x6e, kMakeOnly},
    {Key{103}, "up", 0xe048, 0xe075, 0x63, kTypematic},
    {Key{104}, "pgup", 0xe049, 0xe07d, 0x6f, kMakeOnly},
    {Key{105}, "left", 0xe04b, 0xe06b, 0x61, kTypematic},
    {Key{106}, "right", 0xe04d, 0xe074, 0x6a, kTypematic},
    {Key{107}, "end", 0xe04f, 0xe069, 0x65, kMakeOnly},
    {Key{108}, "down", 0xe050, 0xe072, 0x60, kTypematic},
    {Key{109}, "pgdn", 0xe051, 0xe07a, 0x6d, kMakeOnly},
    {Key{110}, "insert", 0xe052, 0xe070, 0x67, kMakeOnly},
    {Key{111}, "delete", 0xe053, 0xe071, 0x64, kTypematic},
    {Key{113}, "audiomute", 0xe020, 0xe023, 0x00, kMakeOnly},
    {Key{114}, "volumedown", 0xe02e, 0xe021, 0x00, kMakeOnly},
    {Key{115}, "volumeup", 0xe030, 0xe032, 0x00, kMakeOnly},
    {Key{116}, "power", 0xe05e, 0xe037, 0x00, kMakeOnly},
    {Key{117}, "kp_equals", 0x59, 0x0f, 0x00, kMakeOnly},
    {Key{119}, "pause", 0xe046, 0xe07e, 0x62, kMakeOnly},
    {Key{121}, "kp_comma", 0x7e, 0x6d, 0x00, kMakeOnly},
    {Key{124}, "yen", 0x7d, 0x6a, 0x5d, kTypematic},
    {Key{125}, "meta_l", 0xe05b, 0xe01f, 0x8b, kMakeOnly},
    {Key{126}, "meta_r", 0xe05c, 0xe027, 0x8c, kMakeOnly},
    {Key{127}, "compose", 0xe05d, 0xe02f, 0x8d, kMakeOnly},
    {Key{140}, "calculator", 0xe021, 0xe02b, 0x00, kMakeOnly},
    {Key{142}, "sleep", 0xe05f, 0xe03f, 0x00, kMakeOnly},
    {Key{143}, "wake", 0xe063, 0xe05e, 0x00, kMakeOnly},
    {Key{155}, "mail", 0xe06c, 0xe048, 0x00, kMakeOnly},
    {Key{156}, "ac_bookmarks", 0xe066, 0xe018, 0x00, kMakeOnly},
    {Key{157}, "computer", 0xe06b, 0xe040, 0x00, kMakeOnly},
    {Key{158}, "ac_back", 0xe06a, 0xe038, 0x00, kMakeOnly},
    {Key{159}, "ac_forward", 0xe069, 0xe030, 0x00, kMakeOnly},
    {Key{163}, "audionext", 0xe019, 0xe04d, 0x00, kMakeOnly},
    {Key{164}, "audioplay", 0xe022, 0xe034, 0x00, kMakeOnly},
    {Key{165}, "audioprev", 0xe010, 0xe015, 0x00, kMakeOnly},
    {Key{166}, "audiostop", 0xe024, 0xe03b, 0x00, kMakeOnly},
    {Key{172}, "ac_home", 0xe032, 0xe03a, 0x00, kMakeOnly},
    {Key{173}, "ac_refresh", 0xe067, 0xe020, 0x00, kMakeOnly},
    {Key{183}, "f13", 0x64, 0x08, 0x00, kMakeOnly},
    {Key{184}, "f14", 0x65, 0x10, 0x00, kMakeOnly},
    {Key{185}, "f15", 0x66, 0x18, 0x00, kMakeOnly},
    {Key{186}, "f16", 0x67, 0x20, 0x00, kMakeOnly},
    {Key{187}, "f17", 0x68, 0x28, 0x00, kMakeOnly},
    {Key{188}, "f18", 0x69, 0x30, 0x00, kMakeOnly},
    {Key{189}, "f19", 0x6a, 0x38, 0x00, kMakeOnly},
    {Key{190}, "f20", 0x6b, 0x40, 0x00, kMakeOnly},
    {Key{191}, "f21", 0x6c, 0x48, 0x00, kMakeOnly},
    {Key{192}, "f22", 0x6d, 0x50, 0x00, kMakeOnly},
    {Key{193}, "f23", 0x6e, 0x57, 0x00, kMakeOnly},
    {Key{194}, "f24", 0x76, 0x5f, 0x00, kMakeOnly},
    {Key{226}, "mediaselect", 0xe06d, 0xe050, 0x00, kMakeOnly},
};

struct Alias {
  std::string_view name;
  std::string_view row;
};
constexpr Alias kAliases[] = {{"menu", "compose"}, {"asterisk", "kp_multiply"}, {"sysrq", "print"}};

/// Characters of the US layout by key: without Shift, with Shift, the key's name.
struct Typed {
  char plain;
  char shifted;
  std::string_view name;
};
constexpr Typed kTyped[] = {
    {'`', '~', "grave_accent"},
    {'1', '!', "1"},
    {'2', '@', "2"},
    {'3', '#', "3"},
    {'4', '$', "4"},
    {'5', '%', "5"},
    {'6', '^', "6"},
    {'7', '&', "7"},
    {'8', '*', "8"},
    {'9', '(', "9"},
    {'0', ')', "0"},
    {'-', '_', "minus"},
    {'=', '+', "equal"},
    {'[', '{', "bracket_left"},
    {']', '}', "bracket_right"},
    {'\\', '|', "backslash"},
    {';', ':', "semicolon"},
    {'\'', '"', "apostrophe"},
    {',', '<', "comma"},
    {'.', '>', "dot"},
    {'/', '?', "slash"},
};
/// Characters that Shift does not change.
constexpr std::pair<char, std::string_view> kControl[] = {
    {' ', "spc"}, {'\n', "ret"}, {'\t', "tab"}, {'\b', "backspace"}, {'\x1b', "esc"}};

constexpr unsigned kCodes = 256;

/// Index into kRows by code; FFh: none.
constexpr std::array<u8, kCodes> kIndex = [] {
  std::array<u8, kCodes> index{};
  index.fill(0xff);
  for (std::size_t i = 0; i < std::size(kRows); ++i)
    index[static_cast<u8>(kRows[i].key)] = static_cast<u8>(i);
  return index;
}();
static_assert(std::size(kRows) < 0xff);

Key key_named(std::string_view name) {
  const KeyRow* row = find_key(name);
  return row == nullptr ? Key::None : row->key;
}

}  // namespace

std::span<const KeyRow> key_rows() { return kRows; }

const KeyRow* find_key(Key key) {
  const u8 index = kIndex[static_cast<u8>(key)];
  return index == 0xff ? nullptr : &kRows[index];
}

const KeyRow* find_key(std::string_view name) {
  const auto* alias = std::ranges::find(kAliases, name, &Alias::name);
  const auto* row = std::ranges::find(kRows, alias == std::end(kAliases) ? name : alias->row, &KeyRow::name);
  return row == std::end(kRows) ? nullptr : row;
}

std::string_view name_of(Key key) {
  const KeyRow* row = find_key(key);
  return row == nullptr ? "none" : row->name;
}

std::optional<Keystroke> us_keystroke(char character) {
  for (const auto& [control, name] : kControl)
    if (character == control) return Keystroke{key_named(name), false};
  for (const Typed& typed : kTyped)
    if (character == typed.plain || character == typed.shifted)
      return Keystroke{key_named(typed.name), character == typed.shifted};
  const bool capital = character >= 'A' && character <= 'Z';
  const char letter = capital ? static_cast<char>(character - 'A' + 'a') : character;
  if (letter < 'a' || letter > 'z') return std::nullopt;
  return Keystroke{key_named(std::string_view(&letter, 1)), capital};
}

std::optional<std::vector<Key>> keys_between_dashes(std::string_view names) {
  std::vector<Key> keys;
  for (const std::string_view name : words_between(names, "-")) {
    const KeyRow* row = find_key(name);
    if (row == nullptr) return std::nullopt;
    keys.push_back(row->key);
  }
  if (keys.empty()) return std::nullopt;
  return keys;
}

}  // namespace reprise
