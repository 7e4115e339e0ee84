#include "machine/storage/near_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "common/nearest.h"

namespace reprise::machine {

std::string near_name(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr std::size_t kMostFiles = 10'000;
  const fs::path wrong(path);
  const fs::path folder = wrong.parent_path().empty() ? fs::path(".") : wrong.parent_path();
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && names.size() < kMostFiles;
       at.increment(error))
    names.push_back(at->path().filename().string());
  std::ranges::sort(names);
  Nearest nearest(wrong.filename().string());
  for (const std::string& name : names) nearest.offer(name);
  if (nearest.name().empty()) return {};
  return fmt::format(" (there is '{}')", (wrong.parent_path() / nearest.name()).string());
}

}  // namespace reprise::machine
