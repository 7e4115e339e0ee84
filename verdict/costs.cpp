#include "verdict/costs.h"

#include <fmt/format.h>

#include "common/numbers.h"

namespace reprise::verdict {
namespace {

constexpr CostRow kRows[] = {{"instructions", "instructions", &Costs::instructions},
                             {"tlb_misses", "TLB misses", &Costs::tlb_misses},
                             {"exits", "exits", &Costs::exits},
                             {"disk_bytes", "bytes of disks", &Costs::disk_bytes},
                             {"network_bytes", "bytes of networks", &Costs::network_bytes}};

constexpr u64 kMillion = 1'000'000;

}  // namespace

std::span<const CostRow> cost_rows() { return kRows; }

Costs since(const Costs& later, const Costs& earlier) {
  Costs costs;
  for (const CostRow& row : kRows) costs.*row.number = later.*row.number - earlier.*row.number;
  return costs;
}

Costs sum(const Costs& a, const Costs& b) {
  Costs costs;
  for (const CostRow& row : kRows) costs.*row.number = a.*row.number + b.*row.number;
  return costs;
}

std::string costs_text(const Costs& costs) {
  std::string text;
  for (const CostRow& row : kRows)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", row.words, costs.*row.number);
  return text;
}

bool CostChange::grew_beyond(u64 millionths) const {
  if (now <= before) return false;
  return static_cast<__uint128_t>(now - before) * kMillion > static_cast<__uint128_t>(before) * millionths;
}

std::string CostChange::text() const {
  std::string text = fmt::format("{}: {} {}, before {}", test, words, now, before);
  if (before == 0) return text;
  const double percent =
      (static_cast<double>(now) - static_cast<double>(before)) * 100 / static_cast<double>(before);
  return text + fmt::format(" ({:+.3f} %)", percent);
}

std::vector<CostChange> changes(const std::string& test, const Costs& before, const Costs& now) {
  std::vector<CostChange> changed;
  for (const CostRow& row : kRows)
    if (before.*row.number != now.*row.number)
      changed.push_back({test, row.words, before.*row.number, now.*row.number});
  return changed;
}

std::optional<u64> millionths_of_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  std::string fraction(point == text.npos ? std::string_view() : text.substr(point + 1));
  constexpr std::size_t kDigits = 4;
  if (fraction.size() > kDigits || (point != text.npos && fraction.empty())) return std::nullopt;
  fraction.resize(kDigits, '0');
  const auto whole = parse_number(text.substr(0, point));
  const auto parts = parse_number("1" + fraction);
  constexpr u64 kOne = 10'000, kMost = 1'000'000;
  if (!whole || !parts || *whole > kMost) return std::nullopt;
  return *whole * kOne + (*parts - kOne);
}

}  // namespace reprise::verdict
