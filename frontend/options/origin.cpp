#include "frontend/options/origin.h"

#include <fmt/format.h>

#include <filesystem>

#include "common/words.h"
#include "frontend/options/take_words.h"
#include "frontend/version.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

/// Puts `folder` before the relative name of a file with which the value of `row` begins.
void place_file(const RunOption& row, const std::string& folder, std::string& value) {
  const bool names_file = row.text().takes_file() || row.value.starts_with("FOLDER");
  if (!names_file || value.empty() || value.starts_with('/')) return;
  std::string before;
  for (const char c : folder)
    before += c == ',' && row.value.find(',') != row.value.npos ? ",," : std::string(1, c);
  value = before + '/' + value;
}

/// The words of rows that `wanted` takes, each as one word; names of files as they are from everywhere where a `folder` is given.
std::vector<std::string> words_of(const std::vector<std::string>& words, bool (*wanted)(const RunOption& row),
                                  const std::string& folder = {}) {
  std::vector<OptionText> texts;
  std::vector<const RunOption*> rows;
  for (const OptionGroup<RunDraft>& group : run_option_groups()) {
    for (const RunOption& row : group.rows) {
      texts.push_back(row.text());
      rows.push_back(&row);
    }
  }
  std::vector<std::string> out;
  auto taken = take_words(texts, words);
  if (!taken) return out;
  for (TakenOption& option : taken.value()) {
    const RunOption& row = *rows[option.row];
    if (!wanted(row)) continue;
    if (!folder.empty()) place_file(row, folder, option.value);
    if (row.text().is_argument())
      out.push_back(option.value);
    else if (row.value.empty())
      out.emplace_back(row.name);
    else
      out.push_back(fmt::format("{}={}", row.name, option.value));
  }
  return out;
}

std::string working_folder() {
  std::error_code error;
  return fs::current_path(error).string();
}

/// What relative names of files were relative to.
class Folder {
 public:
  explicit Folder(const std::string& path) : path_(path) {}
  void place(std::string& name) const {
    if (!name.empty() && !name.starts_with('/')) name = (path_ / name).string();
  }

 private:
  const fs::path path_;
};

void place_files(machine::MachineConfig& config, const Folder& folder) {
  folder.place(config.boot.kernel_path);
  std::string modules;
  for (const std::string_view module : words_between(config.boot.initrd_path, ",")) {
    std::string name(module);
    folder.place(name);
    modules += (modules.empty() ? "" : ",") + name;
  }
  config.boot.initrd_path = modules;
  if (config.firmware.bios.find('/') != std::string::npos) folder.place(config.firmware.bios);
  folder.place(config.firmware.variables_path);
  for (machine::DeviceConfig& device : config.devices)
    for (machine::DeviceProperty& property : device.properties)
      if (property.name == "file" || property.name == "overlay" || property.name == "path" ||
          property.name == "romfile")
        folder.place(property.value);
  folder.place(config.net.tftp_folder);
  folder.place(config.net.hub_path);
}

}  // namespace

machine::RunOrigin origin_of(const RunDraft& draft, const std::vector<std::string>& words) {
  machine::RunOrigin origin{.program = std::string(version_text()), .folder = working_folder(), .words = {}};
  std::string elsewhere;  // the folder of these words, where it is not that of the others
  if (!draft.options.load_path.empty()) {
    if (draft.loaded.folder != origin.folder) elsewhere = origin.folder;
    origin.folder = draft.loaded.folder;
    origin.words = draft.loaded.words;
  }
  for (std::string& word : words_of(
           words, [](const RunOption& row) { return row.of_machine; }, elsewhere))
    origin.words.push_back(std::move(word));
  const machine::MachineConfig& config = draft.options.config;
  if (!draft.has("--rtc")) origin.words.push_back(fmt::format("--rtc={}", config.rtc_unix_s));
  if (!draft.has("--net")) origin.words.push_back(fmt::format("--net={}", machine::net_text(config.net)));
  return origin;
}

void take_origin(machine::RunOrigin origin, RunDraft& draft, Names names) {
  draft.of_state = true;
  draft.given = apply_words(run_option_groups(), origin.words, draft);
  if (names == Names::OfThisFolder && origin.folder != working_folder())
    place_files(draft.options.config, Folder(origin.folder));
  draft.loaded = std::move(origin);
}

std::string state_to_load(const std::vector<std::string>& words) {
  const auto found = words_of(words, [](const RunOption& row) { return row.name == "--load"; });
  return found.empty() ? std::string() : found.back().substr(found.back().find('=') + 1);
}

}  // namespace reprise::frontend
