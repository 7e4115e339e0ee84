// libdw checks what it reads; what it hands out is checked here.
#include "machine/symbols/source_lines.h"

#include <elfutils/libdw.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_map>

#include "machine/storage/host_fd.h"

namespace reprise::machine::symbols {
namespace {

constexpr std::size_t kMaxLines = std::size_t{1} << 25;
constexpr std::size_t kMaxNameBytes = 4096;

struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

struct OpenFile {
  HostFd fd;
  std::unique_ptr<Dwarf, EndDwarf> dwarf;  // reads `fd`
};

Result<OpenFile> open_dwarf(const std::string& path) {
  HostFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return Error{fmt::format("cannot be read: {}", std::strerror(errno))};
  std::unique_ptr<Dwarf, EndDwarf> dwarf(dwarf_begin(fd.get(), DWARF_C_READ));
  if (!dwarf)
    return Error{fmt::format(
        "does not say which source its code is of ({}): Debian's kernels do in linux-image-...-dbg",
        dwarf_errmsg(-1))};
  return OpenFile{std::move(fd), std::move(dwarf)};
}

/// One file's DWARF as it is read.
class Reader {
 public:
  /// Each compilation unit in its turn, until `read` says that it is enough. False: there is none, or a damaged one.
  template <class Read>
  bool for_each_unit(Dwarf* dwarf, Read&& read) {
    std::size_t header_bytes = 0;
    Dwarf_Off next = 0;
    bool any = false;
    for (Dwarf_Off at = 0; dwarf_nextcu(dwarf, at, &next, &header_bytes, nullptr, nullptr, nullptr) == 0;
         at = next) {
      Dwarf_Die unit;
      if (dwarf_offdie(dwarf, at + header_bytes, &unit) == nullptr) return any;
      any = true;
      files_here_.clear();
      if (!read(unit)) break;
    }
    return any;
  }

  bool read_unit(Dwarf_Die& unit) {
    read_lines(unit);
    dwarf_getfuncs(
        &unit,
        [](Dwarf_Die* function, void* reader) {
          static_cast<Reader*>(reader)->add_function(*function);
          return static_cast<int>(DWARF_CB_OK);
        },
        this, 0);
    return found_.lines.size() < kMaxLines;
  }
  SourceLines take() { return std::move(found_); }

 private:
  void read_lines(Dwarf_Die& unit) {
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_getsrclines(&unit, &lines, &count) != 0) return;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      Dwarf_Line* const line = dwarf_onesrcline(lines, i);
      Dwarf_Line* const behind = dwarf_onesrcline(lines, i + 1);
      Dwarf_Addr begin = 0, end = 0;
      int number = 0;
      bool is_end = true;
      if (line == nullptr || behind == nullptr || dwarf_lineendsequence(line, &is_end) != 0 || is_end ||
          dwarf_lineaddr(line, &begin) != 0 || dwarf_lineaddr(behind, &end) != 0 || end <= begin ||
          dwarf_lineno(line, &number) != 0 || number <= 0)
        continue;
      const std::optional<u32> file = file_of(dwarf_linesrc(line, nullptr, nullptr));
      if (file) found_.lines.push_back({begin, end, *file, static_cast<u32>(number)});
    }
  }

  void add_function(Dwarf_Die& function) {
    Dwarf_Addr begin = 0, end = 0;
    int number = 0;
    const char* const name = dwarf_diename(&function);
    // Those that were only inlined have no addresses of their own.
    if (name == nullptr || std::strlen(name) > kMaxNameBytes || dwarf_lowpc(&function, &begin) != 0 ||
        dwarf_highpc(&function, &end) != 0 || end <= begin || dwarf_decl_line(&function, &number) != 0 ||
        number <= 0)
      return;
    const std::optional<u32> file = file_of(dwarf_decl_file(&function));
    if (file) found_.functions.push_back({begin, end, *file, static_cast<u32>(number), name});
  }

  /// `name` lives as long as its unit is read.
  std::optional<u32> file_of(const char* name) {
    if (name == nullptr) return std::nullopt;
    if (const auto known = files_here_.find(name); known != files_here_.end()) return known->second;
    const std::string text(name, strnlen(name, kMaxNameBytes));
    const auto [place, is_new] = files_.try_emplace(text, static_cast<u32>(found_.files.size()));
    if (is_new) found_.files.push_back(text);
    files_here_.emplace(name, place->second);
    return place->second;
  }

  SourceLines found_;
  std::unordered_map<std::string, u32> files_;  // of all units
  std::unordered_map<const char*, u32>
      files_here_;  // of the unit that is read, by where libdw has their names
};

Error no_lines() {
  return Error{
      "does not say which source its code is of: Debian's kernels do in linux-image-...-dbg, others with "
      "CONFIG_DEBUG_INFO"};
}

}  // namespace

Result<Done> check_source_lines(const std::string& path) {
  const OpenFile file = TRY(open_dwarf(path));
  if (!Reader().for_each_unit(file.dwarf.get(), [](Dwarf_Die&) { return false; })) return no_lines();
  return Done{};
}

Result<SourceLines> read_source_lines(const std::string& path) {
  const OpenFile file = TRY(open_dwarf(path));
  Reader reader;
  reader.for_each_unit(file.dwarf.get(), [&](Dwarf_Die& unit) { return reader.read_unit(unit); });
  SourceLines lines = reader.take();
  if (lines.lines.empty()) return no_lines();
  return lines;
}

}  // namespace reprise::machine::symbols
