#include "verdict/tap_line.h"

#include <algorithm>
#include <optional>

#include "common/numbers.h"
#include "common/words.h"

namespace reprise::verdict {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  text.remove_suffix(text.size() - std::min(text.find_last_not_of(kBlanks) + 1, text.size()));
  return text;
}

/// Takes `word` from the beginning of `text`, if it stands there by itself.
bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  if (text.size() > word.size() && kBlanks.find(text[word.size()]) == kBlanks.npos) return false;
  text = trimmed(text.substr(word.size()));
  return true;
}

/// Takes decimal digits that end at a blank or the end.
std::optional<u64> take_number(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  if (end == 0 || (end < text.size() && kBlanks.find(text[end]) == kBlanks.npos)) return std::nullopt;
  const auto number = parse_number(text.substr(0, end));
  if (number) text = trimmed(text.substr(end));
  return number;
}

bool is_version(std::string_view text) {
  return text.starts_with("KTAP version ") || text.starts_with("TAP version ");
}

struct Directive {
  std::string_view word;  // in small letters
  TestOutcome when_ok;
  TestOutcome when_not;
};

constexpr Directive kDirectives[] = {
    {"skip", TestOutcome::Skip, TestOutcome::Skip},
    {"todo", TestOutcome::Pass, TestOutcome::ExpectedFailure},
    {"xfail", TestOutcome::ExpectedFailure, TestOutcome::ExpectedFailure},
    {"xpass", TestOutcome::Fail, TestOutcome::Fail},
    {"timeout", TestOutcome::Fail, TestOutcome::Fail},
    {"error", TestOutcome::Error, TestOutcome::Error},
};

/// A directive begins a comment behind a result: " # SKIP no such device". Of others the comment is diagnostics.
const Directive* directive_of(std::string_view comment) {
  const std::string word = in_small_letters(comment.substr(0, comment.find_first_of(" \t:,.")));
  // "SKIPPED", "SKIP:" and the like are about, too.
  for (const Directive& directive : kDirectives)
    if (word == directive.word || (directive.word == "skip" && word.starts_with("skip"))) return &directive;
  return nullptr;
}

/// Where the comment of a result begins: at a '#' that is not escaped and stands behind a blank or at the beginning; npos: nowhere.
std::size_t comment_of(std::string_view text) {
  for (std::size_t at = text.find('#'); at != text.npos; at = text.find('#', at + 1))
    if (at == 0 || kBlanks.find(text[at - 1]) != kBlanks.npos) return at;
  return text.npos;
}

void parse_result(std::string_view text, bool ok, TapLine& line) {
  line.kind = TapLine::Kind::Result;
  line.outcome = ok ? TestOutcome::Pass : TestOutcome::Fail;
  line.number = take_number(text).value_or(0);
  if (text.starts_with("- ")) text = trimmed(text.substr(2));
  const std::size_t at = comment_of(text);
  line.text = trimmed(text.substr(0, at));
  if (at == text.npos) return;
  const std::string_view comment = trimmed(text.substr(at + 1));
  const Directive* const directive = directive_of(comment);
  if (directive == nullptr) {
    line.reason = comment;
    return;
  }
  line.outcome = ok ? directive->when_ok : directive->when_not;
  const std::size_t behind = comment.find_first_of(kBlanks);
  line.reason =
      directive->word == "skip" && behind != comment.npos ? trimmed(comment.substr(behind)) : comment;
}

bool parse_plan(std::string_view text, TapLine& line) {
  if (!text.starts_with("1..")) return false;
  text.remove_prefix(3);
  const auto count = take_number(text);
  if (!count) return false;
  line.kind = TapLine::Kind::Plan;
  line.number = *count;
  if (text.starts_with('#')) line.reason = trimmed(text.substr(1));
  return true;
}

/// Blanks before a line and "# " before its text, which are its depth.
std::string_view take_depth(std::string_view line, std::size_t quotes, TapLine& out) {
  for (; quotes != 0 && line.starts_with("# "); --quotes) {
    line.remove_prefix(2);
    out.depth += 2;
  }
  const std::size_t blanks = std::min(line.find_first_not_of(kBlanks), line.size());
  out.depth += blanks;
  return line.substr(blanks);
}

}  // namespace

TapLine parse_tap_line(std::string_view line, std::size_t quotes) {
  TapLine out;
  std::string_view text = take_depth(line, quotes, out);
  if (is_version(text)) {
    out.kind = TapLine::Kind::Version;
  } else if (parse_plan(text, out)) {
  } else if (take_word(text, "ok")) {
    parse_result(text, true, out);
  } else if (take_word(text, "not ok")) {
    parse_result(text, false, out);
  } else if (text.starts_with("Bail out!")) {
    out.kind = TapLine::Kind::BailOut;
    out.text = trimmed(text.substr(9));
  } else if (text.starts_with("# Subtest: ")) {
    out.kind = TapLine::Kind::Subtest;
    out.text = trimmed(text.substr(11));
  } else if (text.starts_with('#')) {
    out.kind = TapLine::Kind::Diagnostic;
    out.text = trimmed(text.substr(1));
  }
  return out;
}

std::size_t quotes_of_version(std::string_view line) {
  std::size_t quotes = 0;
  for (; line.starts_with("# "); ++quotes) line.remove_prefix(2);
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return is_version(line) ? quotes : std::string_view::npos;
}

}  // namespace reprise::verdict
