#include "common/log.h"

#include <array>
#include <optional>

namespace reprise {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"error", "warn", "info", "debug", "trace"};

std::optional<LogLevel> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == text) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

}  // namespace

bool is_log_level(std::string_view text) { return parse_level(text).has_value(); }

bool Log::configure(std::string_view spec) {
  LogLevel default_level = default_level_;
  std::vector<Rule> rules = rules_;
  while (!spec.empty()) {
    const std::size_t comma = spec.find(',');
    const std::string_view entry = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view{} : spec.substr(comma + 1);
    const std::size_t colon = entry.find(':');
    if (entry.empty() || colon == 0) return false;
    if (colon == std::string_view::npos) {
      if (const auto level = parse_level(entry)) {
        default_level = *level;
      } else {
        rules.push_back({std::string(entry), LogLevel::Debug});
      }
      continue;
    }
    const auto level = parse_level(entry.substr(colon + 1));
    if (!level) return false;
    rules.push_back({std::string(entry.substr(0, colon)), *level});
  }
  default_level_ = default_level;
  rules_ = std::move(rules);
  return true;
}

bool Log::enabled(std::string_view category, LogLevel level) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->category == category || rule->category == "all") return level <= rule->level;
  }
  return level <= default_level_;
}

void Log::emit(std::string_view category, LogLevel level, std::string_view text) const {
  sink_(fmt::format("{}: {}: {}", category, kLevelNames[static_cast<std::size_t>(level)], text));
}

}  // namespace reprise
