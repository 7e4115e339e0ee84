#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "verdict/merged.h"
#include "verdict/outcome.h"

namespace reprise::verdict {
namespace {

using Json = nlohmann::ordered_json;

Json costs_json(const Costs& costs) {
  Json json = Json::object();
  for (const CostRow& row : cost_rows()) json[row.name] = costs.*row.number;
  return json;
}

Costs read_costs(const Json& json) {
  Costs costs;
  for (const CostRow& row : cost_rows()) costs.*row.number = json.at(row.name).get<u64>();
  return costs;
}

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
Json results_json(const std::vector<TestResult>& results) {
  Json list = Json::array();
  for (const TestResult& result : results) {
    Json one = {{"name", result.name}, {"outcome", outcome_name(result.outcome)}};
    if (result.number != 0) one["number"] = result.number;
    if (!result.reason.empty()) one["reason"] = result.reason;
    if (!result.at.empty()) one["position"] = result.at;
    if (result.costs) one["costs"] = costs_json(*result.costs);
    if (!result.diagnostics.empty()) one["diagnostics"] = result.diagnostics;
    if (!result.children.empty()) one["tests"] = results_json(result.children);
    list.push_back(std::move(one));
  }
  return list;
}

Json outcome_json(const Outcome& outcome) {
  const TapCounts counts = count_results(outcome.results);
  Json json = {{"test", outcome.name},
               {"verdict", verdict_name(outcome.verdict.kind)},
               {"exit_code", outcome.exit_code},
               {"message", outcome.verdict.message}};
  json["command_exit_code"] =
      outcome.verdict.command_code ? Json(*outcome.verdict.command_code) : Json(nullptr);
  json["counts"] = {{"passed", counts.passed},
                    {"failed", counts.failed},
                    {"skipped", counts.skipped},
                    {"expected_failures", counts.expected_failures},
                    {"errors", counts.errors}};
  json["tests"] = results_json(outcome.results);
  json["kernel_reports"] = Json::array();
  for (const KernelReport& report : outcome.reports) {
    json["kernel_reports"].push_back(
        {{"kind", report_kind_name(report.kind)},
         {"title", report.title},
         {"position", report.at},
         {"fails", std::ranges::find(outcome.failing, report.kind) != outcome.failing.end()},
         {"lines", report.lines}});
    if (!report.decoded.empty()) json["kernel_reports"].back()["decoded"] = report.decoded;
  }
  json["end"] = outcome.end;
  json["position"] = outcome.position;
  json["instructions"] = outcome.instructions;
  json["virtual_ns"] = outcome.virtual_ns;
  json["costs"] = Json::object();
  if (outcome.run_costs) json["costs"]["run"] = costs_json(*outcome.run_costs);
  if (outcome.command_costs) json["costs"]["command"] = costs_json(*outcome.command_costs);
  json["state_hash"] = outcome.state_hash;
  json["command"] = outcome.command;
  json["replay"] = outcome.replay;
  return json;
}

// --- The way back. What is not there, or of another type, throws. ---

TestOutcome outcome_of_name(const std::string& name) {
  for (const TestOutcome outcome :
       {TestOutcome::Pass, TestOutcome::Fail, TestOutcome::Skip, TestOutcome::ExpectedFailure})
    if (outcome_name(outcome) == name) return outcome;
  return TestOutcome::Error;
}

VerdictKind verdict_of_name(const std::string& name) {
  for (auto kind = VerdictKind::Pass; kind <= VerdictKind::Signal;
       kind = static_cast<VerdictKind>(static_cast<u8>(kind) + 1))
    if (verdict_name(kind) == name) return kind;
  return VerdictKind::HostTrouble;
}

// NOLINTNEXTLINE(misc-no-recursion)
std::vector<TestResult> read_results(const Json& list, std::size_t depth) {
  std::vector<TestResult> results;
  constexpr std::size_t kMaxDepth = 64;
  if (depth == kMaxDepth) return results;
  for (const Json& one : list) {
    TestResult& result = results.emplace_back();
    result.name = one.at("name").get<std::string>();
    result.outcome = outcome_of_name(one.at("outcome").get<std::string>());
    result.number = one.value("number", u64{0});
    result.reason = one.value("reason", std::string());
    result.at = one.value("position", std::string());
    result.diagnostics = one.value("diagnostics", std::vector<std::string>());
    if (one.contains("costs")) result.costs = read_costs(one["costs"]);
    if (one.contains("tests")) result.children = read_results(one["tests"], depth + 1);
  }
  return results;
}

Outcome outcome_of(const Json& json) {
  Outcome outcome;
  outcome.name = json.at("test").get<std::string>();
  outcome.verdict.kind = verdict_of_name(json.at("verdict").get<std::string>());
  outcome.verdict.message = json.at("message").get<std::string>();
  if (!json.at("command_exit_code").is_null())
    outcome.verdict.command_code = json["command_exit_code"].get<int>();
  outcome.exit_code = json.at("exit_code").get<int>();
  outcome.results = read_results(json.at("tests"), 0);
  for (const Json& report : json.at("kernel_reports")) {
    const auto kind = report_kind_of_name(report.at("kind").get<std::string>()).value_or(ReportKind::Bug);
    outcome.reports.push_back({.kind = kind,
                               .title = report.at("title").get<std::string>(),
                               .at = report.at("position").get<std::string>(),
                               .lines = report.at("lines").get<std::vector<std::string>>(),
                               .decoded = report.value("decoded", std::vector<std::string>())});
    if (report.at("fails").get<bool>() && std::ranges::find(outcome.failing, kind) == outcome.failing.end())
      outcome.failing.push_back(kind);
  }
  outcome.end = json.at("end").get<std::string>();
  outcome.position = json.at("position").get<std::string>();
  outcome.instructions = json.at("instructions").get<u64>();
  outcome.virtual_ns = json.at("virtual_ns").get<u64>();
  if (const Json& costs = json.at("costs"); costs.is_object()) {
    if (costs.contains("run")) outcome.run_costs = read_costs(costs["run"]);
    if (costs.contains("command")) outcome.command_costs = read_costs(costs["command"]);
  }
  outcome.state_hash = json.at("state_hash").get<std::string>();
  outcome.command = json.at("command").get<std::vector<std::string>>();
  outcome.replay = json.at("replay").get<std::string>();
  return outcome;
}

std::string text_of(const Json& json) {
  // What a guest prints may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string json_text(const Outcome& outcome) { return text_of(outcome_json(outcome)); }

Result<Outcome> read_outcome(std::string_view text) {
  try {
    return outcome_of(Json::parse(text));
  } catch (const Json::exception& error) {
    return Error{fmt::format("it is no result of a test: {}", error.what())};
  }
}

Result<std::vector<Outcome>> read_outcomes(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    std::vector<Outcome> outcomes;
    if (!json.contains("runs")) {
      outcomes.push_back(outcome_of(json));
      return outcomes;
    }
    for (const Json& run : json["runs"]) outcomes.push_back(outcome_of(run));
    return outcomes;
  } catch (const Json::exception& error) {
    return Error{fmt::format("it is no result of a test: {}", error.what())};
  }
}

std::string json_text_of_all(std::span<const Outcome> outcomes) {
  const Summary summary = summarize(outcomes);
  Json json = {{"exit_code", summary.exit_code},
               {"passed", summary.passed},
               {"not_passed", summary.not_passed},
               {"nobody_knows", summary.nobody_knows}};
  json["runs"] = Json::array();
  for (const Outcome& outcome : outcomes) json["runs"].push_back(outcome_json(outcome));
  return text_of(json);
}

}  // namespace reprise::verdict
