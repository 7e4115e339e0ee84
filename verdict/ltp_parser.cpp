#include "verdict/ltp_parser.h"

#include <algorithm>
#include <optional>

#include "common/numbers.h"
#include "verdict/log_line.h"

namespace reprise::verdict {
namespace {

struct Word {
  std::string_view word;
  std::optional<TestOutcome> outcome;  // nothing: it tells of no result
};

/// kernel: none; LTP: include/tst_res_flags.h. A warning means that something was left behind: the program does not end with 0.
constexpr Word kWords[] = {{"TPASS", TestOutcome::Pass},  {"TFAIL", TestOutcome::Fail},
                           {"TBROK", TestOutcome::Error}, {"TCONF", TestOutcome::Skip},
                           {"TWARN", TestOutcome::Error}, {"TINFO", std::nullopt}};

const Word* word_at(std::string_view text) {
  for (const Word& word : kWords)
    if (text.starts_with(word.word)) return &word;
  return nullptr;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return text.substr(std::min(begin, text.size()));
}

/// What is behind a colon, with the colors that the library gives to words taken out.
std::string without_colors(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\033') {
      plain += text[i];
      continue;
    }
    while (i < text.size() && text[i] != 'm') ++i;
  }
  return plain;
}

/// Of a program.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  });
}

struct LtpLine {
  std::string program;
  const Word* word = nullptr;
  std::string text;
  u64 number = 0;           // of the older library
  bool of_library = false;  // which prints a summary
};

/// "NAME.c:95: TPASS: text".
std::optional<LtpLine> line_of_library(std::string_view line) {
  const std::size_t dot = line.find('.');
  if (dot == line.npos || dot == 0 || line.substr(0, dot).find_first_of(" \t:/") != line.npos)
    return std::nullopt;
  std::string_view rest = line.substr(dot + 1);
  if (!rest.starts_with("c:") && !rest.starts_with("h:")) return std::nullopt;
  rest.remove_prefix(2);
  const std::size_t colon = rest.find(": ");
  if (colon == rest.npos || !parse_number(rest.substr(0, colon))) return std::nullopt;
  rest.remove_prefix(colon + 2);
  const Word* const word = word_at(rest);
  if (word == nullptr) return std::nullopt;
  rest.remove_prefix(word->word.size());
  if (!rest.starts_with(":")) return std::nullopt;
  return LtpLine{.program = std::string(line.substr(0, dot)),
                 .word = word,
                 .text = std::string(trimmed(rest.substr(1))),
                 .number = 0,
                 .of_library = true};
}

/// "sched_yield01    1  TPASS  :  text".
std::optional<LtpLine> line_of_older(std::string_view line) {
  const std::size_t space = line.find_first_of(" \t");
  if (space == line.npos || !is_name(line.substr(0, space))) return std::nullopt;
  std::string_view rest = trimmed(line.substr(space));
  const std::size_t end = rest.find_first_of(" \t");
  const std::optional<u64> number = parse_number(rest.substr(0, end));
  if (!number || end == rest.npos) return std::nullopt;
  rest = trimmed(rest.substr(end));
  const Word* const word = word_at(rest);
  if (word == nullptr) return std::nullopt;
  rest = trimmed(rest.substr(word->word.size()));
  if (!rest.starts_with(":")) return std::nullopt;
  return LtpLine{.program = std::string(line.substr(0, space)),
                 .word = word,
                 .text = std::string(trimmed(rest.substr(1))),
                 .number = *number,
                 .of_library = false};
}

bool is_of_summary(std::string_view line) {
  for (const std::string_view word : {"passed ", "failed ", "broken ", "skipped ", "warnings "})
    if (line.starts_with(word)) return true;
  return false;
}

/// A suite is as good as the worst of its tests.
TestOutcome worst_of(const std::vector<TestResult>& results) {
  const auto any = [&](TestOutcome outcome) {
    return std::ranges::find(results, outcome, &TestResult::outcome) != results.end();
  };
  for (const TestOutcome outcome : {TestOutcome::Error, TestOutcome::Fail, TestOutcome::Pass})
    if (any(outcome)) return outcome;
  return TestOutcome::Skip;
}

/// The program's library would have told of one.
TestResult without_summary(std::string_view why) {
  TestResult missing;
  missing.name = "Summary";
  missing.outcome = TestOutcome::Error;
  missing.reason = why;
  return missing;
}

}  // namespace

void LtpParser::take(std::string_view raw, std::string_view at) {
  const std::string plain = without_colors(without_stamp(raw));
  std::optional<LtpLine> line = line_of_library(plain);
  if (!line) line = line_of_older(plain);
  if (in_summary_ && !is_of_summary(plain)) close();
  if (open_ && awaits_summary_ && plain == "Summary:") {
    in_summary_ = true;
    return;
  }
  if (!line) {
    if (open_ && !in_summary_ && diagnostics_.size() < kMaxDiagnostics && !plain.empty())
      diagnostics_.push_back(plain);
    return;
  }
  if (!line->word->outcome) {
    // What the library says of itself, under a name of its own, comes before a program has told of anything.
    if (diagnostics_.size() < kMaxDiagnostics) diagnostics_.push_back(plain);
    return;
  }
  TestResult result;
  result.name = std::move(line->text);
  result.number = line->number;
  result.outcome = *line->word->outcome;
  if (result.outcome != TestOutcome::Pass) result.reason = line->word->word;
  result.at = at;
  take_result(line->program, line->of_library, std::move(result));
}

void LtpParser::take_result(const std::string& program, bool tells_summary, TestResult result) {
  if (kept_ >= kMaxResults) return;
  // What its library found stands under the library's name: it is of the program that runs.
  const bool of_library_itself = program.starts_with("tst_") || program.starts_with("safe_");
  if (open_ && !of_library_itself && results_.back().name != program &&
      !results_.back().name.starts_with("tst_")) {
    if (awaits_summary_) {
      results_.back().children.push_back(without_summary("it told of no summary"));
    }
    close();
  }
  if (!open_) {
    results_.emplace_back().name = program;
    open_ = true;
    awaits_summary_ = tells_summary;
    ++kept_;
  } else if (!of_library_itself) {
    results_.back().name = program;
  }
  result.diagnostics = std::move(diagnostics_);
  diagnostics_.clear();
  results_.back().at = result.at;
  results_.back().children.push_back(std::move(result));
  ++kept_;
}

void LtpParser::close() {
  TestResult& suite = results_.back();
  suite.outcome = worst_of(suite.children);
  suite.diagnostics = std::move(diagnostics_);
  diagnostics_.clear();
  open_ = awaits_summary_ = in_summary_ = false;
}

void LtpParser::end(std::string_view why) {
  if (!open_) return;
  if (awaits_summary_ && !in_summary_) results_.back().children.push_back(without_summary(why));
  close();
}

}  // namespace reprise::verdict
