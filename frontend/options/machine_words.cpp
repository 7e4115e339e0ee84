#include "frontend/options/machine_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "common/words.h"

namespace reprise::frontend {
namespace {

constexpr std::size_t kLongestName = 55;  // QEMU, docs/specs/fw_cfg: with a zero behind it
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostOemStrings = 255;

/// "manufacturer=, product=": those of a type.
std::string keys_of(unsigned type) {
  std::string keys;
  for (const machine::SmbiosWord& word : machine::kSmbiosWords)
    if (word.type == type) keys += fmt::format("{}{}=", keys.empty() ? "" : ", ", word.key);
  return keys;
}

Result<Done> take_word(unsigned type, std::string_view key, const std::string& value,
                       machine::SmbiosWords& words) {
  if (value.size() > kLongestText)
    return Error{
        fmt::format("{}= has {} characters, and there is room for {}", key, value.size(), kLongestText)};
  constexpr unsigned kSystem = 1, kOemStrings = 11;
  if (type == kSystem && key == "uuid") {
    words.uuid = parse_uuid(value);
    if (!words.uuid)
      return Error{fmt::format("uuid={} is not such as 550e8400-e29b-41d4-a716-446655440000", value)};
    return Done{};
  }
  if (type == kOemStrings && key == "value") {
    if (words.oem_strings.size() == kMostOemStrings)
      return Error{fmt::format("there are {} strings of type 11 already", kMostOemStrings)};
    words.oem_strings.push_back(value);
    return Done{};
  }
  for (const machine::SmbiosWord& word : machine::kSmbiosWords) {
    if (word.type != type || word.key != key) continue;
    words.*word.text = value;
    return Done{};
  }
  return Error{fmt::format("'{}' is none of {}", key,
                           type == kOemStrings ? "value="
                           : type == kSystem   ? keys_of(type) + ", uuid="
                                               : keys_of(type))};
}

}  // namespace

std::optional<std::array<u8, 16>> parse_uuid(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != kForm.size()) return std::nullopt;
  std::array<u8, 16> bytes{};
  unsigned digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kForm[i] == '-') {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const char c = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return std::nullopt;
    bytes[digits / 2] = static_cast<u8>(bytes[digits / 2] << 4 | digit);
    ++digits;
  }
  return bytes;
}

Result<Done> take_smbios(std::string_view text, machine::SmbiosWords& words) {
  const std::vector<std::string> parts = words_at_commas(text);
  constexpr std::string_view kType = "type=";
  if (!parts[0].starts_with(kType)) return Error{"it does not begin with type=0, 1, 3 or 11"};
  const std::optional<u64> type = parse_number(std::string_view(parts[0]).substr(kType.size()));
  constexpr unsigned kTypes[] = {0, 1, 3, 11};
  if (!type || std::ranges::find(kTypes, *type) == std::end(kTypes))
    return Error{fmt::format("{} is none of type=0 (BIOS), 1 (system), 3 (chassis), 11 (texts)", parts[0])};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == parts[i].npos) return Error{fmt::format("'{}' has no value", parts[i])};
    TRY(take_word(static_cast<unsigned>(*type), parts[i].substr(0, equals), parts[i].substr(equals + 1),
                  words));
  }
  return Done{};
}

Result<machine::FirmwareFile> parse_firmware_file(std::string_view text) {
  const std::vector<std::string> parts = words_at_commas(text);
  machine::FirmwareFile file = {.name = parts[0]};
  if (file.name.empty() || file.name.size() > kLongestName)
    return Error{fmt::format("the name '{}' has not from 1 to {} characters", file.name, kLongestName)};
  // Names of others are firmware's, which finds there what it needs.
  if (!file.name.starts_with("opt/"))
    return Error{fmt::format("the name '{}' does not begin with opt/, as those of users do", file.name)};
  constexpr std::string_view kString = "string=", kFile = "file=";
  if (parts.size() == 2 && parts[1].starts_with(kString))
    file.text = parts[1].substr(kString.size());
  else if (parts.size() == 2 && parts[1].starts_with(kFile) && parts[1].size() > kFile.size())
    file.path = parts[1].substr(kFile.size());
  else
    return Error{"behind the name stands either string=TEXT or file=FILE"};
  return file;
}

}  // namespace reprise::frontend
