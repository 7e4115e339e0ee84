#include "machine/snapshot/named_state.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/plug/property.h"
#include "machine/snapshot/media_state.h"
#include "machine/snapshot/run_origin.h"
#include "machine/snapshot/state_file.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".state";
constexpr std::size_t kMaxName = 100;
constexpr u64 kMaxManifestBytes = 1 << 20;

/// The number behind `key` in one of the lines, "# instructions 5".
u64 number_of(std::string_view manifest, std::string_view key) {
  for (const std::string_view line : words_between(manifest, "\n"))
    if (line.starts_with(key)) return parse_number(line.substr(key.size())).value_or(0);
  return 0;
}

std::optional<NamedState> read_state(const std::string& path, std::string name) {
  const auto file = StateFileReader::open(path);
  struct stat status = {};
  if (!file || fstat(file.value()->fd(), &status) != 0) return std::nullopt;
  StateReader& stream = file.value()->stream();
  load_origin(stream);
  load_media(stream);
  stream.begin("manifest");
  const std::vector<u8> bytes = stream.rest(kMaxManifestBytes);
  if (!stream.ok()) return std::nullopt;
  const std::string_view manifest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  constexpr u64 kBlockBytes = 512;  // of st_blocks
  return NamedState{.name = std::move(name),
                    .bytes = static_cast<u64>(status.st_blocks) * kBlockBytes,
                    .retired = number_of(manifest, "# instructions "),
                    .virtual_ns = number_of(manifest, "# virtual_ns ")};
}

}  // namespace

Result<Done> check_state_name(std::string_view name) {
  if (is_plain_name(name) && !name.starts_with('.') && name.size() <= kMaxName) return Done{};
  return Error{
      fmt::format("'{}' is no name of a snapshot, which has up to {} letters, digits, '-', '_' and '.', and "
                  "no '.' first.",
                  in_one_line(name.substr(0, 60)), kMaxName)};
}

std::string folder_of_states(const std::string& image_path) { return image_path + ".snapshots"; }

std::string path_of_state(const std::string& image_path, std::string_view name) {
  return fmt::format("{}/{}{}", folder_of_states(image_path), name, kSuffix);
}

std::vector<NamedState> named_states(const std::string& image_path) {
  std::vector<NamedState> states;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of_states(image_path), error)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(kSuffix) || !entry.is_regular_file(error)) continue;
    std::string name = file.substr(0, file.size() - kSuffix.size());
    if (!check_state_name(name)) continue;
    if (auto state = read_state(entry.path().string(), std::move(name))) states.push_back(*std::move(state));
  }
  std::ranges::sort(states, {}, &NamedState::name);
  return states;
}

}  // namespace reprise::machine
