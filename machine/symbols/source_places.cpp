// libdwfl lays modules out, which are not linked yet, and finds lines in them; what it hands out is checked here.
#include "machine/symbols/source_places.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>

namespace reprise::machine::symbols {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameBytes = 4096;

struct EndDwfl {
  void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
};

/// Without looks at other files: what a build id names elsewhere is not what the user gave.
int no_other_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word,
                  char**) {
  return -1;
}

const Dwfl_Callbacks* callbacks() {
  static const Dwfl_Callbacks kCallbacks = {.find_elf = nullptr,
                                            .find_debuginfo = no_other_file,
                                            .section_address = dwfl_offline_section_address,
                                            .debuginfo_path = nullptr};
  return &kCallbacks;
}

/// One ELF file.
class SourceFile {
 public:
  explicit SourceFile(const std::string& path) : dwfl_(dwfl_begin(callbacks())) {
    if (!dwfl_) return;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    // Takes the descriptor.
    module_ = dwfl_report_offline(dwfl_.get(), "", path.c_str(), fd);
    dwfl_report_end(dwfl_.get(), nullptr, nullptr);
    if (module_ == nullptr) {
      close(fd);
      return;
    }
    read_symbols();
  }

  std::string line_of(std::string_view symbol, u64 offset) {
    const auto found = symbols_.find(std::string(symbol));
    if (found == symbols_.end()) return {};
    Dwfl_Line* const line = dwfl_module_getsrc(module_, found->second + offset);
    int number = 0;
    const char* const name =
        line == nullptr ? nullptr : dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr);
    if (name == nullptr || number <= 0) return {};
    const fs::path path = fs::path(std::string(name, strnlen(name, kMaxNameBytes))).lexically_normal();
    return fmt::format("{}:{}", path.string(), number);
  }

 private:
  void read_symbols() {
    const int count = dwfl_module_getsymtab(module_);
    for (int i = 0; i < count; ++i) {
      GElf_Sym symbol;
      GElf_Addr address = 0;
      const char* const name =
          dwfl_module_getsym_info(module_, i, &symbol, &address, nullptr, nullptr, nullptr);
      if (name == nullptr || symbol.st_shndx == SHN_UNDEF || *name == 0) continue;
      const unsigned type = GELF_ST_TYPE(symbol.st_info);
      if (type != STT_FUNC && type != STT_NOTYPE) continue;
      // A function's own name rather than a label's.
      const auto [place, is_new] =
          symbols_.try_emplace(std::string(name, strnlen(name, kMaxNameBytes)), address);
      if (!is_new && type == STT_FUNC && GELF_ST_BIND(symbol.st_info) == STB_GLOBAL) place->second = address;
    }
  }

  std::unique_ptr<Dwfl, EndDwfl> dwfl_;
  Dwfl_Module* module_ = nullptr;
  std::unordered_map<std::string, u64> symbols_;
};

/// Modules are called by '_' where their files may have '-'.
std::string module_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace

struct SourcePlaces::Files {
  std::string image;
  std::map<std::string, std::string> modules;  // paths, by name
  std::map<std::string, SourceFile> open;      // by path
};

SourcePlaces::SourcePlaces(std::string image, const std::string& modules)
    : files_(std::make_unique<Files>()) {
  files_->image = std::move(image);
  if (modules.empty()) return;
  std::error_code error;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(modules, kOptions, error); !error && at != fs::end(at);
       at.increment(error)) {
    const fs::path& path = at->path();
    if (path.extension() != ".ko") continue;
    // Of several the first by name, so that it does not depend on the folder's order.
    std::string& known = files_->modules[module_name(path.stem().string())];
    if (known.empty() || path.string() < known) known = path.string();
  }
}

SourcePlaces::~SourcePlaces() = default;

std::string SourcePlaces::line_of(std::string_view symbol, u64 offset, std::string_view module) {
  std::string path = files_->image;
  if (!module.empty()) {
    const auto found = files_->modules.find(module_name(std::string(module)));
    path = found == files_->modules.end() ? std::string() : found->second;
  }
  if (path.empty()) return {};
  return files_->open.try_emplace(path, path).first->second.line_of(symbol, offset);
}

}  // namespace reprise::machine::symbols
