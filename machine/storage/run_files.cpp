#include "machine/storage/run_files.h"

#include <filesystem>

namespace reprise::machine {

std::string RunFiles::whole_name(const std::string& path) const {
  std::error_code error;
  std::filesystem::path folder = folder_;
  if (folder.empty()) folder = std::filesystem::current_path(error);
  return (folder / path).lexically_normal().string();
}

std::shared_ptr<const FilePieces> RunFiles::earlier(const std::string& name) const {
  const auto found = earlier_.find(name);
  return found == earlier_.end() ? nullptr : found->second;
}

std::shared_ptr<devices::BlockBackend> RunFiles::written(const std::string& name) const {
  const auto found = written_.find(name);
  return found == written_.end() ? nullptr : found->second;
}

}  // namespace reprise::machine
