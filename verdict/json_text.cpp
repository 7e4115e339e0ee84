#include <nlohmann/json.hpp>

#include <algorithm>

#include "verdict/outcome.h"

namespace reprise::verdict {
namespace {

using Json = nlohmann::ordered_json;

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
Json results_json(const std::vector<TestResult>& results) {
  Json list = Json::array();
  for (const TestResult& result : results) {
    Json one = {{"name", result.name}, {"outcome", outcome_name(result.outcome)}};
    if (result.number != 0) one["number"] = result.number;
    if (!result.reason.empty()) one["reason"] = result.reason;
    if (!result.at.empty()) one["position"] = result.at;
    if (!result.diagnostics.empty()) one["diagnostics"] = result.diagnostics;
    if (!result.children.empty()) one["tests"] = results_json(result.children);
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace

std::string json_text(const Outcome& outcome) {
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
  for (const KernelReport& report : outcome.reports)
    json["kernel_reports"].push_back(
        {{"kind", report_kind_name(report.kind)},
         {"title", report.title},
         {"position", report.at},
         {"fails", std::ranges::find(outcome.failing, report.kind) != outcome.failing.end()},
         {"lines", report.lines}});
  json["end"] = outcome.end;
  json["position"] = outcome.position;
  json["instructions"] = outcome.instructions;
  json["virtual_ns"] = outcome.virtual_ns;
  json["state_hash"] = outcome.state_hash;
  json["command"] = outcome.command;
  json["replay"] = outcome.replay;
  // What a guest prints may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace reprise::verdict
