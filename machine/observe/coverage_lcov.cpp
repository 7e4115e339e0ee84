#include "machine/observe/coverage_lcov.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace reprise::machine {
namespace {

/// Something of the code between two addresses was executed.
class Executed {
 public:
  Executed(const ExecutedBytes& bytes, u64 slide_bytes)
      : ranges_(bytes.ranges()), slide_bytes_(slide_bytes) {}

  bool any(u64 linked_begin, u64 linked_end) const {
    const u64 begin = linked_begin + slide_bytes_;
    const u64 last = linked_end - 1 + slide_bytes_;
    // The first range that ends at or behind the first byte. The last range of all may end with the address space.
    const auto range =
        std::ranges::lower_bound(ranges_, begin, {}, [](const auto& one) { return one.end - 1; });
    return range != ranges_.end() && range->begin <= last;
  }

 private:
  const std::vector<ExecutedBytes::Range> ranges_;
  const u64 slide_bytes_;
};

struct Function {
  u32 line = 0;
  bool executed = false;
};

/// One file of the source.
struct File {
  std::map<u32, bool> lines;  // whether they were executed
  std::map<std::string_view, Function> functions;
};

std::string text_of(std::string_view name, const File& file) {
  std::string text = fmt::format("TN:\nSF:{}\n", name);
  const auto add = std::back_inserter(text);
  for (const auto& [function, what] : file.functions) fmt::format_to(add, "FN:{},{}\n", what.line, function);
  for (const auto& [function, what] : file.functions)
    fmt::format_to(add, "FNDA:{},{}\n", int{what.executed}, function);
  const auto hit = std::ranges::count_if(file.functions, [](const auto& one) { return one.second.executed; });
  fmt::format_to(add, "FNF:{}\nFNH:{}\n", file.functions.size(), hit);
  for (const auto& [line, executed] : file.lines) fmt::format_to(add, "DA:{},{}\n", line, int{executed});
  const auto lines = std::ranges::count_if(file.lines, [](const auto& one) { return one.second; });
  fmt::format_to(add, "LF:{}\nLH:{}\nend_of_record\n", file.lines.size(), lines);
  return text;
}

}  // namespace

std::string lcov_text(const ExecutedBytes& bytes, const symbols::SourceLines& source, u64 slide_bytes) {
  const Executed executed(bytes, slide_bytes);
  std::vector<File> files(source.files.size());
  for (const auto& line : source.lines)
    files.at(line.file).lines[line.line] |= executed.any(line.begin, line.end);
  for (const auto& function : source.functions) {
    Function& what = files.at(function.file).functions[function.name];
    what.line = function.line;
    what.executed |= executed.any(function.begin, function.end);
  }
  std::map<std::string_view, const File*> by_name;
  for (std::size_t i = 0; i < files.size(); ++i) by_name.emplace(source.files[i], &files[i]);
  std::string text;
  for (const auto& [name, file] : by_name)
    if (!file->lines.empty()) text += text_of(name, *file);
  return text;
}

}  // namespace reprise::machine
