// A suite as TOML:
//
//     kernel = "bzImage"                # what stands before the tests is for all of them
//     [[test]]
//     name = "futex"
//     command = ["./futex", "--all"]    # or a line for the shell
//     seeds = "1..100"
//     cpus = 2                          # any option of reprise test, without its dashes
//     env = { LEVEL = "3" }
#include <fmt/format.h>

#include <toml++/toml.h>

#include <algorithm>
#include <iterator>

#include "common/numbers.h"
#include "frontend/test/run_plan.h"

namespace reprise::frontend {
namespace {

/// What is wrong with a suite; thrown.
struct BadSuite {
  std::string message;
};

BadSuite at_line(const toml::node& node, std::string_view what) {
  return {fmt::format("line {}: {}", node.source().begin.line, what)};
}

/// A value as an option takes it. Numbers, words; true is an option without a value: nullopt.
std::optional<std::string> option_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean(); flag != nullptr && flag->get()) return std::nullopt;
  throw at_line(node, "this is no value of an option");
}

void add_option(const std::string& name, const toml::node& node, std::vector<std::string>& words) {
  const std::optional<std::string> value = option_value(node);
  words.push_back(value ? fmt::format("--{}={}", name, *value) : "--" + name);
}

void take_command(const toml::node& node, PlannedTest& test) {
  test.command.clear();
  if (const auto* line = node.as_string()) {
    test.command = {line->get()};
  } else if (const auto* words = node.as_array(); words != nullptr && !words->empty()) {
    for (const toml::node& word : *words) {
      if (!word.is_string()) throw at_line(word, "a word of a command is a text");
      test.command.push_back(word.as_string()->get());
    }
  } else {
    throw at_line(node, "a command is a line, or a list of words");
  }
}

void take_seeds(const toml::node& node, PlannedTest& test) {
  const std::string text = option_value(node).value_or("");
  const std::size_t dots = text.find("..");
  const auto first = parse_number(text.substr(0, dots));
  const auto last = dots == text.npos ? first : parse_number(text.substr(dots + 2));
  constexpr u64 kMost = 1'000'000;
  if (!first || !last || *first > *last || *last - *first >= kMost)
    throw at_line(node, fmt::format("'{}' is no range of seeds such as 1..1000", text));
  test.first_seed = first;
  test.last_seed = last;
}

void take_environment(const toml::node& node, PlannedTest& test) {
  if (!node.is_table()) throw at_line(node, "env is a table: env = { NAME = \"VALUE\" }");
  for (const auto& [name, value] : *node.as_table())
    test.words.push_back(fmt::format("--env={}={}", name.str(), option_value(value).value_or("")));
}

/// What stands in one table; "test" is not looked at.
void take_table(const toml::table& table, PlannedTest& test, std::vector<std::string>& kernels) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (name == "test") continue;
    if (name == "name") {
      test.name = option_value(node).value_or("");
    } else if (name == "command") {
      take_command(node, test);
    } else if (name == "seeds") {
      take_seeds(node, test);
    } else if (name == "env") {
      take_environment(node, test);
    } else if (name == "kernels") {
      if (!node.is_array()) throw at_line(node, "kernels is a list");
      kernels.clear();
      for (const toml::node& kernel : *node.as_array()) kernels.push_back(option_value(kernel).value_or(""));
    } else if (node.is_array()) {
      for (const toml::node& one : *node.as_array()) add_option(name, one, test.words);
    } else {
      add_option(name, node, test.words);
    }
  }
}

/// Part of a path below --out.
void check_name(const toml::node& node, const std::string& name) {
  const bool good = !name.empty() && name[0] != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!good)
    throw at_line(node,
                  fmt::format("a test has a name of letters, digits, '-', '_' and '.', not '{}'", name));
}

std::vector<PlannedTest> tests_of(const toml::table& suite, const std::vector<std::string>& common) {
  const toml::array* const list = suite["test"].as_array();
  if (list == nullptr || list->empty()) throw BadSuite{"it lists no tests: each begins with a line [[test]]"};
  std::vector<PlannedTest> tests;
  for (const toml::node& node : *list) {
    if (!node.is_table()) throw at_line(node, "a test begins with a line [[test]]");
    PlannedTest test;
    std::vector<std::string> kernels;
    take_table(suite, test, kernels);
    test.name.clear();
    take_table(*node.as_table(), test, kernels);
    check_name(node, test.name);
    std::ranges::copy(common, std::back_inserter(test.words));
    if (kernels.empty()) {
      tests.push_back(std::move(test));
      continue;
    }
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      PlannedTest& one = tests.emplace_back(test);
      one.name += fmt::format("/kernel-{}", i + 1);
      one.words.push_back("--kernel=" + kernels[i]);
    }
  }
  for (const PlannedTest& test : tests)
    if (std::ranges::count(tests, test.name, &PlannedTest::name) != 1)
      throw BadSuite{fmt::format("there are two tests '{}'", test.name)};
  return tests;
}

}  // namespace

Result<std::vector<PlannedTest>> read_suite(const std::string& text, const std::string& path,
                                            const std::vector<std::string>& common) {
  try {
    return tests_of(toml::parse(text), common);
  } catch (const toml::parse_error& error) {
    return wrong_usage(
        fmt::format("suite '{}': line {}: {}.", path, error.source().begin.line, error.description()));
  } catch (const BadSuite& bad) {
    return wrong_usage(fmt::format("suite '{}': {}.", path, bad.message));
  }
}

}  // namespace reprise::frontend
