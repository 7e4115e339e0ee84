#include "frontend/test/run_folder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "frontend/version.h"
#include "machine/storage/host_file.h"
#include "machine/storage/new_file.h"
#include "verdict/merged.h"

namespace reprise::frontend {
namespace {

using Json = nlohmann::ordered_json;

constexpr u64 kMaxBytes = u64{1} << 30;

}  // namespace

std::string manifest_path(const std::string& folder) { return folder + "/manifest.json"; }

Result<RunManifest> read_manifest(const std::string& folder) {
  const std::string path = manifest_path(folder);
  const std::vector<u8> bytes = TRY(machine::read_host_file("manifest", path, kMaxBytes));
  try {
    const Json json = Json::parse(bytes.begin(), bytes.end());
    RunManifest manifest;
    manifest.command = json.at("command").get<std::vector<std::string>>();
    manifest.inputs = json.at("inputs").get<std::string>();
    manifest.done = json.at("done").get<bool>();
    for (const Json& run : json.at("runs"))
      manifest.runs.push_back({run.at("index").get<u64>(), run.at("name").get<std::string>()});
    return manifest;
  } catch (const Json::exception& error) {
    return Error{fmt::format("manifest '{}' is none of reprise test: {}.", path, error.what())};
  }
}

Result<Done> write_manifest(const std::string& folder, const RunManifest& manifest) {
  Json json = {{"version", version_text()},
               {"command", manifest.command},
               {"inputs", manifest.inputs},
               {"done", manifest.done}};
  json["runs"] = Json::array();
  for (const ListedRun& run : manifest.runs)
    json["runs"].push_back({{"index", run.index}, {"name", run.name}});
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return machine::write_new_file("manifest", manifest_path(folder), text);
}

Result<verdict::Outcome> read_result(const std::string& folder) {
  const std::string path = folder + "/result.json";
  const std::vector<u8> bytes = TRY(machine::read_host_file("result", path, kMaxBytes));
  auto outcome = verdict::read_outcome({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!outcome) return Error{fmt::format("result '{}': {}.", path, outcome.error().message)};
  return outcome;
}

}  // namespace reprise::frontend
