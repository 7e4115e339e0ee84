#include "frontend/options/origin.h"

#include <fmt/format.h>

#include <filesystem>

#include "common/words.h"
#include "frontend/options/place_names.h"
#include "frontend/options/take_words.h"
#include "frontend/version.h"
#include "machine/plug/disk_device.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

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
    if (!folder.empty()) option.value = placed_value(row.name, std::move(option.value), folder);
    if (row.text().is_argument())
      out.push_back(option.value);
    else if (row.value.empty())
      out.emplace_back(row.name);
    else
      out.push_back(fmt::format("{}={}", row.name, option.value));
  }
  return out;
}

/// What it has may be anybody's: what does not say what the machine is was put there, and might write where its user would not.
void refuse_others(const std::vector<std::string>& words) {
  const auto others = words_of(words, [](const RunOption& row) { return !row.of_machine; });
  if (others.empty()) return;
  throw BadValue{fmt::format("the command in the file was changed: '{}' does not say what the machine is",
                             in_one_line(others.front().substr(0, 60)))};
}

/// A state says nothing of files that its run wrote.
void refuse_writing(const std::vector<machine::DeviceConfig>& devices) {
  for (const machine::DiskConfig& disk : machine::disk_configs(devices))
    if (disk.write_through || !disk.overlay_path.empty())
      throw BadValue{fmt::format("the command in the file was changed: it would have '{}' written",
                                 in_one_line(disk.write_through ? disk.path : disk.overlay_path))};
}

std::string working_folder() {
  std::error_code error;
  return fs::current_path(error).string();
}

}  // namespace

machine::RunOrigin origin_of(const RunDraft& draft, const std::vector<std::string>& words) {
  machine::RunOrigin origin{.program = build_text(), .folder = working_folder(), .words = {}};
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
  std::vector<std::string> words = origin.words;
  if (names == Names::OfThisFolder && origin.folder != working_folder()) {
    auto placed = words_of(
        words, [](const RunOption&) { return true; }, origin.folder);
    // Words that are wrong are told of as they are.
    if (!placed.empty()) words = std::move(placed);
  }
  refuse_others(words);
  draft.given = apply_words(run_option_groups(), words, draft);
  if (names == Names::OfThisFolder) refuse_writing(draft.options.config.devices);
  draft.loaded = std::move(origin);
}

std::vector<std::string> words_about_the_run(const std::vector<std::string>& words) {
  return words_of(words, [](const RunOption& row) { return !row.of_machine; });
}

std::string state_to_load(const std::vector<std::string>& words) {
  const auto found = words_of(words, [](const RunOption& row) { return row.name == "--load"; });
  return found.empty() ? std::string() : found.back().substr(found.back().find('=') + 1);
}

}  // namespace reprise::frontend
