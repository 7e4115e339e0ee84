#include "machine/symbols/symbol_table.h"

#include <algorithm>
#include <numeric>

namespace reprise::machine::symbols {
namespace {

constexpr std::size_t kMaxNameBytes = 512;
constexpr std::size_t kMaxNamesBytes = std::size_t{1} << 30;
/// Outside of the image, where no end is known, a name far away would mislead.
constexpr u64 kMaxDistance = u64{16} << 20;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

void SymbolTable::add(u64 linear, std::string_view name, Kind kind) {
  if (!is_name(name) || names_.size() + name.size() > kMaxNamesBytes) return;
  all_.push_back({linear, static_cast<u32>(names_.size()), static_cast<u16>(name.size()), kind});
  names_ += name;
}

void SymbolTable::finish() {
  names_.shrink_to_fit();
  std::ranges::stable_sort(all_, [](const Symbol& a, const Symbol& b) {
    return a.linear != b.linear ? a.linear < b.linear : a.kind < b.kind;
  });
  by_name_.resize(all_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  // Of several places with one name (local functions of different files) the global one comes first.
  std::ranges::stable_sort(by_name_, [this](u32 a, u32 b) {
    const std::string_view name_a = name_of(all_[a]);
    const std::string_view name_b = name_of(all_[b]);
    return name_a != name_b ? name_a < name_b : all_[a].kind > all_[b].kind;
  });
  std::optional<u64> begin = address_of("_text");
  if (!begin) begin = address_of("_stext");
  const std::optional<u64> end = address_of("_end");
  if (begin && end && *begin < *end) {
    image_begin_ = *begin;
    image_end_ = *end;
  }
}

std::optional<u64> SymbolTable::address_of(std::string_view name) const {
  const auto found = std::ranges::lower_bound(by_name_, name, {}, [this](u32 i) { return name_of(all_[i]); });
  if (found == by_name_.end() || name_of(all_[*found]) != name) return std::nullopt;
  return all_[*found].linear;
}

std::optional<SymbolTable::Place> SymbolTable::find(u64 linear) const {
  const auto next = std::ranges::upper_bound(all_, linear, {}, &Symbol::linear);
  if (next == all_.begin()) return std::nullopt;
  const Symbol& symbol = *std::prev(next);
  // The last name before the image, or before its end, is none of what lies behind.
  if (in_image(symbol.linear) != in_image(linear)) return std::nullopt;
  const u64 distance = linear - symbol.linear;
  const bool ends_somewhere = image_end_ != ~u64{0} && in_image(linear);
  if (!ends_somewhere && distance > kMaxDistance) return std::nullopt;
  return Place{name_of(symbol), distance};
}

}  // namespace reprise::machine::symbols
