#include "verdict/tap_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/numbers.h"
#include "common/words.h"
#include "verdict/log_line.h"

namespace reprise::verdict {
namespace {

constexpr std::string_view kNoResult = "there is no line with its result";

TestResult without_result(std::string name, u64 number, TestOutcome outcome, std::string_view why) {
  TestResult result;
  result.name = std::move(name);
  result.number = number;
  result.outcome = outcome;
  result.reason = why;
  return result;
}

}  // namespace

void TapParser::take(std::string_view raw, std::string_view at) {
  const std::string_view text = without_stamp(raw);
  const std::size_t version_quotes = quotes_of_version(text);
  if (levels_.empty() && version_quotes == text.npos) return;
  std::size_t quotes = levels_.empty() ? 0 : levels_.back().quotes;
  if (version_quotes != text.npos) quotes = std::max(quotes, version_quotes);
  const TapLine line = parse_tap_line(text, quotes);
  switch (line.kind) {
    case TapLine::Kind::Version:
      any_ = true;
      if (next_of_script(line.depth, quotes)) return begin_next_of_script();
      // Another list begins where one was: that was cut off, or a whole one.
      while (!levels_.empty() && levels_.back().depth >= line.depth) cut_off(kNoResult);
      return open(line.depth, quotes, true);
    case TapLine::Kind::Subtest: return take_subtest(line, quotes);
    case TapLine::Kind::Plan: return take_plan(line);
    case TapLine::Kind::Result: return take_result(line, at);
    case TapLine::Kind::BailOut: {
      const std::string why =
          fmt::format("the tests bailed out{}{}", line.text.empty() ? "" : ": ", line.text);
      while (!levels_.empty()) cut_off(why);
      return;
    }
    case TapLine::Kind::Diagnostic:
    case TapLine::Kind::Other: take_totals(levels_.back(), text); return add_diagnostic(text);
  }
}

void TapParser::end(std::string_view why) {
  while (!levels_.empty()) cut_off(why);
}

void TapParser::open(std::size_t depth, std::size_t quotes, bool has_version) {
  if (levels_.size() == kMaxDepth) return;
  Level& level = levels_.emplace_back();
  level.depth = depth;
  level.quotes = quotes;
  level.has_version = has_version;
}

bool TapParser::next_of_script(std::size_t depth, std::size_t quotes) const {
  if (levels_.size() < 2) return false;
  const Level& last = levels_.back();
  return last.has_version && last.depth == depth && last.quotes == quotes &&
         levels_[levels_.size() - 2].quotes < quotes;
}

void TapParser::begin_next_of_script() {
  Level& level = levels_.back();
  complete(level, kNoResult);
  std::vector<TestResult> earlier = all_results(level);
  if (!earlier.empty()) std::ranges::move(level.diagnostics, std::back_inserter(earlier.back().diagnostics));
  Level next;
  next.depth = level.depth;
  next.quotes = level.quotes;
  next.name = std::move(level.name);
  next.has_version = true;
  next.earlier = std::move(earlier);
  level = std::move(next);
}

void TapParser::take_totals(Level& level, std::string_view text) {
  constexpr std::string_view kTotals = "# Totals: pass:";
  const std::size_t at = text.find(kTotals);
  if (at == text.npos || !level.plan) return;
  u64 all = 0;
  bool good = true;
  for (const std::string_view word :
       words_between(text.substr(at + kTotals.size() - std::string_view("pass:").size()), " ")) {
    const std::size_t colon = word.find(':');
    const auto count = colon == word.npos ? std::nullopt : parse_number(word.substr(colon + 1));
    if (!count || *count > kMaxPlan) continue;
    all += *count;
    const std::string_view name = word.substr(0, colon);
    if (*count != 0 && (name == "fail" || name == "error")) good = false;
  }
  level.all_counted = good && all >= *level.plan;
}

std::vector<TestResult> TapParser::all_results(Level& level) {
  std::vector<TestResult> all = std::move(level.earlier);
  std::ranges::move(level.results, std::back_inserter(all));
  level.results.clear();
  return all;
}

void TapParser::take_subtest(const TapLine& line, std::size_t quotes) {
  Level& level = levels_.back();
  const bool fresh = level.name.empty() && level.results.empty() && levels_.size() > 1;
  if (line.depth == level.depth && fresh) {
    level.name = line.text;
    return;
  }
  // KUnit's older form has no version lines: the list before this one had no result.
  if (line.depth == level.depth && levels_.size() > 1 && !level.has_version) cut_off(kNoResult);
  if (line.depth <= levels_.back().depth) return;
  open(line.depth, quotes, false);
  levels_.back().name = line.text;
}

void TapParser::take_plan(const TapLine& line) {
  if (line.number > kMaxPlan) return;
  // A list that ended before its own result line does not take the plan of an outer one.
  while (levels_.size() > 1 && levels_.back().depth > line.depth) cut_off(kNoResult);
  if (line.depth > levels_.back().depth) open(line.depth, levels_.back().quotes, false);
  Level& level = levels_.back();
  if (level.depth != line.depth || level.plan) return;
  level.plan = line.number;
  if (line.number == 0) level.skipped = line.reason.empty() ? "there are no tests" : line.reason;
}

void TapParser::take_result(const TapLine& line, std::string_view at) {
  if (line.number > kMaxPlan) return;
  // The list right below the result's own has its children; lists in that were cut off.
  while (levels_.size() > 1 && levels_[levels_.size() - 2].depth > line.depth) cut_off(kNoResult);
  TestResult result;
  if (levels_.size() > 1 && levels_.back().depth > line.depth) {
    Level inner = std::move(levels_.back());
    levels_.pop_back();
    complete(inner, kNoResult);
    result.children = all_results(inner);
    result.name = std::move(inner.name);
    result.diagnostics = std::move(inner.diagnostics);
  } else if (line.depth > levels_.back().depth) {
    // A list without a head begins with its first test; else it is output that looks like a result.
    if (line.number != 1 || levels_.size() == kMaxDepth) return add_diagnostic(line.text);
    open(line.depth, levels_.back().quotes, false);
  }
  Level& level = levels_.back();
  if (line.depth < level.depth) return;
  if (line.number > 1 && (!level.plan || line.number <= *level.plan))
    fill_up(level, line.number - 1, kNoResult);
  if (!line.text.empty()) result.name = line.text;
  result.number = line.number;
  result.outcome = line.outcome;
  result.reason = line.reason;
  result.at = at;
  std::ranges::move(level.diagnostics, std::back_inserter(result.diagnostics));
  level.diagnostics.clear();
  add_result(level, std::move(result));
}

void TapParser::add_diagnostic(std::string_view text) {
  std::vector<std::string>& diagnostics = levels_.back().diagnostics;
  if (diagnostics.size() < kMaxDiagnostics && !text.empty()) diagnostics.emplace_back(text);
}

void TapParser::add_result(Level& level, TestResult result) {
  if (kept_ >= kMaxResults) return;
  ++kept_;
  level.results.push_back(std::move(result));
}

void TapParser::fill_up(Level& level, u64 number, std::string_view why) {
  while (level.results.size() < number && kept_ < kMaxResults) {
    TestResult missing = without_result({}, level.results.size() + 1, TestOutcome::Error, why);
    missing.diagnostics = std::exchange(level.diagnostics, {});
    add_result(level, std::move(missing));
  }
}

void TapParser::complete(Level& level, std::string_view why) {
  if (level.plan && !level.all_counted) fill_up(level, *level.plan, why);
}

void TapParser::cut_off(std::string_view why) {
  Level inner = std::move(levels_.back());
  levels_.pop_back();
  complete(inner, why);
  if (!levels_.empty()) {
    Level& outer = levels_.back();
    TestResult suite =
        without_result(std::move(inner.name), outer.results.size() + 1, TestOutcome::Error, why);
    suite.diagnostics = std::move(inner.diagnostics);
    suite.children = all_results(inner);
    return add_result(outer, std::move(suite));
  }
  if (inner.results.empty()) {
    // A list that planned no test was left out; one that told of nothing at all was cut off before it could.
    TestResult only = inner.plan ? without_result(inner.name, 0, TestOutcome::Skip, inner.skipped)
                                 : without_result(inner.name, 0, TestOutcome::Error, why);
    only.diagnostics = std::move(inner.diagnostics);
    add_result(inner, std::move(only));
  }
  std::ranges::move(inner.results, std::back_inserter(results_));
}

}  // namespace reprise::verdict
