// KEY=VALUE,KEY=VALUE,... as QEMU's options take it. QEMU's manual, "Introduction" and qapi/qemu-qmp-ref, "keyval".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise::frontend::qemu {

/// The keys of one option, and which of them somebody has asked for. All throw BadValue (frontend/options/option.h), whose
/// message begins with the option and its value.
class KeyValues {
 public:
  /// `text` is what stands behind `option`; doubled commas are commas of values. A first word without '=' is the value of
  /// `implied`, if that is not empty; other such words are switches: WORD=on, and noWORD is WORD=off. A text that begins with
  /// '{' is a JSON object, whose inner objects have dotted keys: file.filename.
  static KeyValues parse(std::string_view option, std::string_view text, std::string_view implied = {});

  /// The last value that was given, which counts as understood.
  std::optional<std::string> take(std::string_view key);
  /// Of the first of these names that was given.
  std::optional<std::string> take_any(std::initializer_list<std::string_view> keys);
  /// All values of a key that may be given several times.
  std::vector<std::string> take_all(std::string_view key);
  /// on, yes, true, y, or off, no, false, n.
  std::optional<bool> take_switch(std::string_view key);
  /// The value, or "" for a key that was not given.
  std::string take_or_empty(std::string_view key) { return take(key).value_or(std::string()); }
  /// Keys that change nothing here, with blanks between; "throttling.*" stands for all that begin so.
  void ignore(std::string_view keys);
  bool has(std::string_view key) const;

  /// Refuses keys that are not among `known`, which ignore() would take.
  void refuse_others(std::string_view known) const;
  /// Refuses what nobody has asked for.
  void refuse_rest() const;
  /// Throws BadValue: `why` is a phrase behind a colon.
  [[noreturn]] void refuse(std::string_view why) const;

  const std::string& option() const { return option_; }
  const std::string& text() const { return text_; }

 private:
  struct Pair {
    std::string key;
    std::string value;
    bool bare = false;  // it was given as a word
    bool taken = false;
  };
  [[noreturn]] void refuse(const Pair& pair) const;
  /// The switch that a word was meant for: `key` or no`key`.
  void read_bare(std::string_view key);

  std::string option_;
  std::string text_;
  std::vector<Pair> pairs_;
};

}  // namespace reprise::frontend::qemu
