#include "frontend/qemu/key_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/words.h"
#include "frontend/options/option.h"

namespace reprise::frontend::qemu {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  return value.dump();
}

std::optional<bool> switch_of(std::string_view value) {
  for (const std::string_view word : {"on", "yes", "true", "y"})
    if (value == word) return true;
  for (const std::string_view word : {"off", "no", "false", "n"})
    if (value == word) return false;
  return std::nullopt;
}

}  // namespace

KeyValues KeyValues::parse(std::string_view option, std::string_view text, std::string_view implied) {
  KeyValues out;
  out.option_ = option;
  out.text_ = text;
  if (text.starts_with('{')) {
    constexpr int kMaxDepth = 8;
    bool too_deep = false;
    const auto bound = [&](int depth, Json::parse_event_t, Json&) {
      too_deep = too_deep || depth > kMaxDepth;
      return !too_deep;
    };
    const Json json = Json::parse(text, bound, /*allow_exceptions=*/false);
    if (too_deep || !json.is_object()) out.refuse("it begins as a JSON object and is none");
    const auto add = [&](const auto& self, const Json& object, const std::string& before) -> void {
      for (const auto& [key, value] : object.items()) {
        if (value.is_object() || value.is_array())
          self(self, value, before + key + '.');
        else
          out.pairs_.push_back({before + key, text_of(value)});
      }
    };
    add(add, json, "");
    return out;
  }
  const std::vector<std::string> words = words_at_commas(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::size_t equals = word.find('=');
    if (equals != word.npos)
      out.pairs_.push_back({word.substr(0, equals), word.substr(equals + 1)});
    else if (i == 0 && !implied.empty())
      out.pairs_.push_back({std::string(implied), word});
    else if (!word.empty())
      out.pairs_.push_back({.key = word, .value = "on", .bare = true});
  }
  return out;
}

void KeyValues::read_bare(std::string_view key) {
  for (Pair& pair : pairs_) {
    if (!pair.bare || pair.key != std::string("no").append(key)) continue;
    pair = {.key = std::string(key), .value = "off", .bare = true};
  }
}

std::optional<std::string> KeyValues::take(std::string_view key) {
  read_bare(key);
  std::optional<std::string> value;
  for (Pair& pair : pairs_) {
    if (pair.key != key) continue;
    pair.taken = true;
    value = pair.value;
  }
  return value;
}

std::optional<std::string> KeyValues::take_any(std::initializer_list<std::string_view> keys) {
  std::optional<std::string> value;
  for (const std::string_view key : keys) {
    std::optional<std::string> given = take(key);
    if (!value) value = std::move(given);
  }
  return value;
}

std::vector<std::string> KeyValues::take_all(std::string_view key) {
  std::vector<std::string> values;
  for (Pair& pair : pairs_) {
    if (pair.key != key) continue;
    pair.taken = true;
    values.push_back(pair.value);
  }
  return values;
}

std::optional<bool> KeyValues::take_switch(std::string_view key) {
  const std::optional<std::string> value = take(key);
  if (!value) return std::nullopt;
  const std::optional<bool> on = switch_of(*value);
  if (!on) refuse(fmt::format("'{}={}' is neither on nor off", key, *value));
  return on;
}

void KeyValues::ignore(std::string_view keys) {
  for (const std::string_view key : words_between(keys, " ")) {
    if (!key.ends_with('*')) {
      take(key);
      continue;
    }
    for (Pair& pair : pairs_)
      if (pair.key.starts_with(key.substr(0, key.size() - 1))) pair.taken = true;
  }
}

bool KeyValues::has(std::string_view key) const {
  return std::ranges::any_of(pairs_, [&](const Pair& pair) { return pair.key == key; });
}

void KeyValues::refuse_rest() const {
  for (const Pair& pair : pairs_)
    if (!pair.taken) refuse(pair);
}

void KeyValues::refuse_others(std::string_view known) const {
  const std::vector<std::string_view> words = words_between(known, " ");
  const auto is_known = [&](const Pair& pair) {
    return std::ranges::any_of(words, [&](std::string_view word) {
      if (word.ends_with('*')) return pair.key.starts_with(word.substr(0, word.size() - 1));
      return pair.key == word || (pair.bare && pair.key == std::string("no").append(word));
    });
  };
  for (const Pair& pair : pairs_)
    if (!pair.taken && !is_known(pair)) refuse(pair);
}

void KeyValues::refuse(const Pair& pair) const {
  if (pair.bare) refuse(fmt::format("'{}' is not known here", pair.key));
  refuse(fmt::format("'{}={}' is not known here", pair.key, pair.value));
}

void KeyValues::refuse(std::string_view why) const {
  throw BadValue{fmt::format("{} {}: {}", option_, text_, why)};
}

}  // namespace reprise::frontend::qemu
