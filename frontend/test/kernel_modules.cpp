#include "frontend/test/kernel_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "common/words.h"
#include "machine/storage/host_file.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMaxListBytes = u64{64} << 20;
constexpr u64 kHeadBytes = 65536;

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

std::string usual_folder(const std::string& kernel) {
  const auto head = machine::read_host_head("kernel", kernel, kHeadBytes);
  if (!head) return {};
  const std::string version = kernel_version(head.value());
  if (version.empty()) return {};
  const fs::path beside = fs::path(kernel).parent_path();
  for (const fs::path& place : {beside / "../lib/modules" / version, beside / "lib/modules" / version,
                                fs::path("/lib/modules") / version})
    if (fs::exists(place / "modules.dep")) return place.string();
  return {};
}

}  // namespace

Result<std::vector<KernelModule>> modules_for(const std::string& kernel, const std::string& folder,
                                              std::span<const std::string_view> wanted) {
  const std::string place = folder.empty() ? usual_folder(kernel) : folder;
  std::vector<KernelModule> out;
  if (place.empty()) return out;
  const auto bytes = machine::read_host_file("list of modules", place + "/modules.dep", kMaxListBytes);
  if (!bytes) return Error{fmt::format("--modules '{}': {}", place, bytes.error().message)};
  const Dependencies dependencies =
      parse_dependencies({reinterpret_cast<const char*>(bytes.value().data()), bytes.value().size()});
  for (const std::string_view name : wanted) {
    const auto found = dependencies.find(std::string(name));
    if (found == dependencies.end()) continue;
    // What lies deepest is loaded first.
    for (auto file = found->second.rbegin(); file != found->second.rend(); ++file) {
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
  if (head.size() < kVersion + 2 || std::string_view(reinterpret_cast<const char*>(&head[kMagic]), 4) != "HdrS") return {};
  const std::size_t at = kBase + head[kVersion] + (std::size_t{head[kVersion + 1]} << 8);
  std::string version;
  for (std::size_t i = at; i < head.size() && head[i] > ' ' && version.size() < 64; ++i) version += static_cast<char>(head[i]);
  return version.find('/') == version.npos ? version : std::string();
}

}  // namespace reprise::frontend
