#include "frontend/options/place_names.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "machine/plug/device_registry.h"

namespace reprise::frontend {
namespace {

/// How a value names files.
enum class Form {
  Whole,       // it is the name
  Modules,     // "FILE ARGUMENTS,FILE ARGUMENTS"
  Firmware,    // a name if it has a slash
  Properties,  // "FILE,PROPERTY=VALUE", with doubled commas
  Device,      // "DRIVER,PROPERTY=VALUE", likewise
  Net,         // "user,tftp=FOLDER", "hub:PATH"
};

struct Row {
  std::string_view option;
  Form form;
};

constexpr Row kRows[] = {
    {"IMAGE", Form::Whole},        {"--kernel", Form::Whole},      {"--initrd", Form::Modules},
    {"--bios", Form::Firmware},    {"--bios-vars", Form::Whole},   {"--disk", Form::Properties},
    {"--cdrom", Form::Properties}, {"--floppy", Form::Properties}, {"--share", Form::Properties},
    {"--device", Form::Device},    {"--net", Form::Net},           {"--fw-cfg", Form::Device},
};

const Row* find_row(std::string_view option) {
  const auto* const found = std::ranges::find(kRows, option, &Row::option);
  return found == std::end(kRows) ? nullptr : found;
}

/// Between single commas. Doubled ones stay as they are, if they are `doubled`.
std::vector<std::string> parts_of(std::string_view value, bool doubled) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool pair = doubled && value.substr(i, 2) == ",,";
    if (value[i] != ',' || pair)
      parts.back() += value[i];
    else
      parts.emplace_back();
    if (pair) parts.back() += value[++i];
  }
  return parts;
}

/// A property of some device whose value is a file, or a word of --net.
bool names_file(std::string_view name) {
  if (name == "tftp") return true;
  return std::ranges::any_of(machine::device_rows(), [&](const machine::DeviceRow* row) {
    const machine::PropertySpec* const property = row->find(name);
    return property != nullptr && machine::names_file(*property);
  });
}

class Placer {
 public:
  Placer(std::string folder, bool doubled) : plain_(std::move(folder)) {
    for (const char c : plain_) shown_ += c == ',' && doubled ? ",," : std::string(1, c);
  }
  std::string place(const std::string& name) const {
    return name.empty() || name.starts_with('/') ? name : shown_ + '/' + name;
  }
  /// Of a file that may be somebody else's.
  std::string place_if_there(const std::string& name) const {
    std::error_code error;
    const bool here = name.find('/') != name.npos || std::filesystem::exists(plain_ + '/' + name, error);
    return here ? place(name) : name;
  }
  /// "PROPERTY=VALUE"
  std::string place_word(const std::string& word) const {
    const std::size_t equals = word.find('=');
    if (equals == word.npos || !names_file(word.substr(0, equals))) return word;
    const std::string value = word.substr(equals + 1);
    const bool package = word.starts_with("romfile=");
    return word.substr(0, equals + 1) + (package ? place_if_there(value) : place(value));
  }

 private:
  const std::string plain_;
  std::string shown_;  // as it is written in a value
};

std::string place_first(const std::string& part, Form form, const Placer& placer) {
  constexpr std::string_view kHub = "hub:";
  switch (form) {
    case Form::Properties: return placer.place(part);
    case Form::Net:
      return part.starts_with(kHub) ? part.substr(0, kHub.size()) + placer.place(part.substr(kHub.size()))
                                    : part;
    default: return part;
  }
}

}  // namespace

bool places_files_of(std::string_view option) { return find_row(option) != nullptr; }

std::string placed_value(std::string_view option, std::string value, const std::string& folder) {
  const Row* const row = find_row(option);
  if (row == nullptr) return value;
  const bool doubled = row->form == Form::Properties || row->form == Form::Device;
  const Placer placer(folder, doubled);
  if (row->form == Form::Whole) return placer.place(value);
  if (row->form == Form::Firmware) return value.find('/') == value.npos ? value : placer.place(value);
  std::vector<std::string> parts = parts_of(value, doubled);
  if (row->form == Form::Modules) {
    for (std::string& part : parts) part = placer.place(part);
  } else {
    parts[0] = place_first(parts[0], row->form, placer);
    for (std::size_t i = 1; i < parts.size(); ++i) parts[i] = placer.place_word(parts[i]);
  }
  std::string out;
  for (const std::string& part : parts) out += (&part == parts.data() ? "" : ",") + part;
  return out;
}

}  // namespace reprise::frontend
