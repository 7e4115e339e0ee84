#include "machine/plug/drive_words.h"

#include <string_view>

#include "machine/plug/device_registry.h"

namespace reprise::machine {
namespace {

bool says_where_writes_go(std::string_view part) {
  return part.starts_with("write=") || part.starts_with("overlay=");
}

/// Up to its next comma. Doubled ones are a part of it.
std::string_view first_part(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (text[end] != ',' || text.substr(end, 2) == ",,"))
    end += text[end] == ',' ? 2 : 1;
  return text.substr(0, end);
}

bool is_drive(std::string_view driver) {
  const DeviceRow* const row = find_device_row(driver);
  return row != nullptr && row->is_drive();
}

}  // namespace

std::string without_written_files(std::string word) {
  const std::string_view all = word;
  const std::string_view name = all.substr(0, all.find('='));
  if (name.size() == all.size()) return word;
  std::string_view left = all.substr(name.size() + 1);
  const std::string_view first = first_part(left);
  if (name != "--disk" && name != "--floppy" && (name != "--device" || !is_drive(first))) return word;
  std::string kept(all.substr(0, name.size() + 1 + first.size()));
  left.remove_prefix(first.size());
  while (!left.empty()) {
    left.remove_prefix(1);
    const std::string_view part = first_part(left);
    if (!says_where_writes_go(part)) kept.append(",").append(part);
    left.remove_prefix(part.size());
  }
  return kept;
}

}  // namespace reprise::machine
