#include "jit/engine/symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "common/words.h"

namespace reprise::jit {
namespace {

/// Beyond the last symbol, or far from any, a name would mislead.
constexpr u64 kMaxDistance = u64{16} << 20;

}  // namespace

Result<Symbols> Symbols::load(const std::string& path) {
  Symbols symbols;
  if (path.empty()) return symbols;
  // A FIFO could keep us for ever.
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    return Error{fmt::format("symbols '{}' is not a regular file.", in_one_line(path))};
  std::ifstream file(path);
  if (!file) return Error{fmt::format("symbols '{}' cannot be read.", in_one_line(path))};
  for (std::string line; std::getline(file, line);) {
    u64 linear = 0;
    const char* const end = line.data() + line.size();
    const auto [rest, error] = std::from_chars(line.data(), end, linear, 16);
    // A blank, a letter, a blank, a name.
    if (error != std::errc{} || end - rest < 4 || rest[0] != ' ' || rest[2] != ' ') continue;
    const bool text = rest[1] == 't' || rest[1] == 'T' || rest[1] == 'w' || rest[1] == 'W';
    if (text) symbols.sorted_.push_back({linear, std::string(rest + 3, end)});
  }
  if (symbols.sorted_.empty())
    return Error{
        fmt::format("symbols '{}' has no line such as 'ffffffff81000000 T _text'.", in_one_line(path))};
  std::stable_sort(symbols.sorted_.begin(), symbols.sorted_.end(),
                   [](const Symbol& a, const Symbol& b) { return a.linear < b.linear; });
  return symbols;
}

std::string Symbols::name(u64 linear) const {
  auto next = std::upper_bound(sorted_.begin(), sorted_.end(), linear,
                               [](u64 address, const Symbol& symbol) { return address < symbol.linear; });
  if (next == sorted_.begin() || linear - std::prev(next)->linear > kMaxDistance)
    return fmt::format("{:#x}", linear);
  --next;
  const u64 distance = linear - next->linear;
  return distance == 0 ? next->name : fmt::format("{}+{:#x}", next->name, distance);
}

}  // namespace reprise::jit
