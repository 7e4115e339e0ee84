#include "verdict/result_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::verdict {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Bytes of the UTF-8 character at the beginning of `text`; 0: there is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t bytes = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // Longer than need be, a surrogate, beyond the last one, or no character.
  if ((byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) > 0x9f) ||
      (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) > 0x8f) ||
      (byte(0) == 0xef && byte(1) == 0xbf && byte(2) > 0xbd))
    return 0;
  return bytes;
}

}  // namespace

std::string name_of(const TestResult& result) {
  return result.name.empty() ? fmt::format("test {}", result.number) : result.name;
}

bool fails(const KernelReport& report, const std::vector<ReportKind>& failing) {
  return std::ranges::find(failing, report.kind) != failing.end();
}

std::string as_text(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const std::size_t count = character_bytes(bytes);
    const bool control = (first < 0x20 && first != '\t' && first != '\n') || first == 0x7f;
    text += count == 0 || control ? kReplacement : bytes.substr(0, count);
    bytes.remove_prefix(std::max<std::size_t>(count, 1));
  }
  return text;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

}  // namespace reprise::verdict
