#include "frontend/test/progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "machine/storage/host_file.h"
#include "machine/storage/new_file.h"

namespace reprise::frontend {
namespace {

using Json = nlohmann::ordered_json;

constexpr u64 kMaxBytes = u64{1} << 30;

Json costs_json(const verdict::Costs& costs) {
  Json json = Json::object();
  for (const verdict::CostRow& row : verdict::cost_rows()) json[row.name] = costs.*row.number;
  return json;
}

verdict::Costs read_costs(const Json& json) {
  verdict::Costs costs;
  for (const verdict::CostRow& row : verdict::cost_rows()) costs.*row.number = json.at(row.name).get<u64>();
  return costs;
}

/// Bytes may be any: as numbers.
Json stream_json(const Progress::Stream& stream) {
  return {{"lines_at", stream.lines_at}, {"held", std::vector<u8>(stream.held.begin(), stream.held.end())}};
}

Progress::Stream read_stream(const Json& json) {
  const auto held = json.at("held").get<std::vector<u8>>();
  return {.lines_at = json.at("lines_at").get<std::vector<std::string>>(),
          .held = std::string(held.begin(), held.end())};
}

}  // namespace

std::string checkpoint_path(const std::string& folder) { return folder + "/checkpoint"; }
std::string progress_path(const std::string& folder) { return folder + "/progress.json"; }

Result<Progress> read_progress(const std::string& folder) {
  const std::string path = progress_path(folder);
  const std::vector<u8> bytes = TRY(machine::read_host_file("progress", path, kMaxBytes));
  try {
    const Json json = Json::parse(bytes.begin(), bytes.end());
    Progress progress;
    progress.inputs = json.at("inputs").get<std::string>();
    progress.log = read_stream(json.at("log"));
    progress.output = read_stream(json.at("output"));
    progress.begun = json.at("begun").get<bool>();
    progress.begun_at = read_costs(json.at("begun_at"));
    progress.costs = read_costs(json.at("costs"));
    for (const Json& one : json.at("spent"))
      progress.spent.push_back({one.at("at").get<std::string>(), read_costs(one.at("costs"))});
    return progress;
  } catch (const Json::exception& error) {
    return Error{fmt::format("progress '{}' is none of reprise test: {}.", path, error.what())};
  }
}

Result<Done> write_progress(const std::string& folder, const Progress& progress) {
  Json json = {{"inputs", progress.inputs},
               {"log", stream_json(progress.log)},
               {"output", stream_json(progress.output)},
               {"begun", progress.begun},
               {"begun_at", costs_json(progress.begun_at)},
               {"costs", costs_json(progress.costs)}};
  json["spent"] = Json::array();
  for (const Progress::Spent& spent : progress.spent)
    json["spent"].push_back({{"at", spent.at}, {"costs", costs_json(spent.costs)}});
  return machine::write_new_file("progress", progress_path(folder), json.dump() + "\n");
}

}  // namespace reprise::frontend
