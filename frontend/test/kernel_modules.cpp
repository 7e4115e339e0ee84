#include "frontend/test/kernel_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "common/words.h"
#include "machine/storage/host_file.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMaxListBytes = u64{64} << 20;
constexpr u64 kMaxModuleBytes = u64{64} << 20;
constexpr u64 kHeadBytes = 65536;
/// No module needs more.
constexpr std::size_t kMaxNeeds = 200;

/// "kernel/fs/9p/9p.ko.xz" as "9p"; '-' and '_' are the same in names.
std::string module_name(std::string_view file) {
  file.remove_prefix(file.rfind('/') == file.npos ? 0 : file.rfind('/') + 1);
  std::string name(file.substr(0, file.find('.')));
  std::ranges::replace(name, '-', '_');
  return name;
}

/// Of each module its file and those it needs, the nearest first.
using Dependencies = std::map<std::string, std::vector<std::string>>;

Dependencies parse_dependencies(std::string_view text) {
  Dependencies out;
  for (const std::string_view line : words_between(text, "\n")) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    std::vector<std::string>& files = out[module_name(line.substr(0, colon))];
    files.emplace_back(line.substr(0, colon));
    for (const std::string_view word : words_between(line.substr(colon + 1), " "))
      if (!word.empty()) files.emplace_back(word);
  }
  return out;
}

/// The same of a folder that depmod has not described, by what modules say themselves: "depends=9pnet,netfs". Those that are packed
/// say nothing.
Dependencies scan_modules(const std::string& folder) {
  std::map<std::string, std::string> files;  // by name, from the folder
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error); !error && at != fs::recursive_directory_iterator();
       at.increment(error))
    if (at->path().extension() == ".ko")
      files[module_name(at->path().string())] = at->path().lexically_relative(folder).string();
  Dependencies out;
  for (const auto& [name, file] : files) out[name] = {file};
  return out;
}

/// Names of the modules that the one at `path` needs, as it says itself.
Result<std::vector<std::string>> needs_of(const std::string& path) {
  const std::vector<u8> bytes = TRY(machine::read_host_file("module", path, kMaxModuleBytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  constexpr std::string_view kDepends("\0depends=", 9);
  std::vector<std::string> names;
  const std::size_t at = text.find(kDepends);
  if (at == text.npos) return names;
  const std::string_view list = text.substr(at + kDepends.size());
  for (const std::string_view word : words_between(list.substr(0, list.find('\0')), ","))
    names.push_back(module_name(word));
  return names;
}

/// The module `name` of scan_modules(), behind all that it needs. `order` is files so far, each once.
// NOLINTNEXTLINE(misc-no-recursion)
Result<Done> add_in_order(const std::string& folder, const Dependencies& all, const std::string& name,
                          std::set<std::string>& seen, std::vector<std::string>& order) {
  const auto found = all.find(name);
  if (found == all.end() || seen.size() == kMaxNeeds || !seen.insert(name).second) return Done{};
  const std::string& file = found->second.front();
  for (const std::string& need : TRY(needs_of((fs::path(folder) / file).string())))
    TRY(add_in_order(folder, all, need, seen, order));
  order.push_back(file);
  return Done{};
}

std::string usual_folder(const std::string& kernel) {
  const auto head = machine::read_host_head("kernel", kernel, kHeadBytes);
  if (!head) return {};
  const std::string version = kernel_version(head.value());
  if (version.empty()) return {};
  const fs::path beside = fs::path(kernel).parent_path();
  for (const fs::path& place : {beside / "../lib/modules" / version, beside / "lib/modules" / version,
                                fs::path("/lib/modules") / version})
    if (fs::is_directory(place)) return place.string();
  return {};
}

}  // namespace

Result<std::vector<KernelModule>> modules_for(const std::string& kernel, const std::string& folder,
                                              std::span<const std::string_view> wanted) {
  const std::string place = folder.empty() ? usual_folder(kernel) : folder;
  std::vector<KernelModule> out;
  if (place.empty()) return out;
  const bool described = fs::exists(place + "/modules.dep");
  if (!described && !fs::is_directory(place))
    return Error{
        fmt::format("--modules '{}' is no folder: give one such as /lib/modules/6.1.0-9-amd64.", place)};
  Dependencies dependencies;
  if (described) {
    const auto bytes = TRY(machine::read_host_file("list of modules", place + "/modules.dep", kMaxListBytes));
    dependencies = parse_dependencies({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } else {
    dependencies = scan_modules(place);
  }
  for (const std::string_view name : wanted) {
    const auto found = dependencies.find(std::string(name));
    if (found == dependencies.end()) continue;
    std::vector<std::string> files = found->second;
    if (!described) {
      std::set<std::string> seen;
      files.clear();
      TRY(add_in_order(place, dependencies, std::string(name), seen, files));
      std::ranges::reverse(files);
    }
    // What lies deepest is loaded first.
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      const std::string module = fs::path(*file).filename().string();
      if (std::ranges::find(out, module, &KernelModule::name) != out.end()) continue;
      const std::string path = (fs::path(place) / *file).string();
      const u64 size = TRY(machine::host_file_bytes("module", path));
      out.push_back({module, path, size});
    }
  }
  return out;
}

std::string kernel_version(std::span<const u8> head) {
  constexpr std::size_t kMagic = 0x202, kVersion = 0x20e, kBase = 0x200;
  if (head.size() < kVersion + 2 ||
      std::string_view(reinterpret_cast<const char*>(&head[kMagic]), 4) != "HdrS")
    return {};
  const std::size_t at = kBase + head[kVersion] + (std::size_t{head[kVersion + 1]} << 8);
  std::string version;
  for (std::size_t i = at; i < head.size() && head[i] > ' ' && version.size() < 64; ++i)
    version += static_cast<char>(head[i]);
  return version.find('/') == version.npos ? version : std::string();
}

}  // namespace reprise::frontend
