#include "frontend/report.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace reprise::frontend {
namespace {

nlohmann::ordered_json device_json(const machine::DeviceConfig& device) {
  nlohmann::ordered_json json = {{"driver", device.driver}};
  if (!device.id.empty()) json["id"] = device.id;
  if (device.place) json["place"] = *device.place;
  json["properties"] = nlohmann::ordered_json::object();
  for (const machine::DeviceProperty& property : device.properties)
    json["properties"][property.name] = property.value;
  return json;
}

}  // namespace

std::string report_text(const RunOptions& options, const machine::RunResult& result) {
  const auto hex = [](u64 value) { return fmt::format("{:016x}", value); };
  nlohmann::ordered_json report;
  report["exit_reason"] = machine::exit_reason_name(result.reason);
  report["exit_code"] = result.exit_code;
  report["message"] = result.message;
  report["instructions"] = result.retired;
  report["virtual_ns"] = result.virtual_ns;
  report["idle_ns"] = result.idle_ns;
  report["wall_s"] = result.wall_s;
  report["state_hash"] = hex(result.state_hash);
  report["kernel"] = options.config.boot.kernel_path;
  report["initrd"] = options.config.boot.initrd_path;
  report["append"] = options.config.boot.command_line;
  report["memory_bytes"] = options.config.ram_bytes;
  report["seed"] = options.config.seed;
  report["rtc_unix_s"] = options.config.rtc_unix_s;
  report["devices"] = nlohmann::ordered_json::array();
  for (const machine::DeviceConfig& device : options.config.devices)
    report["devices"].push_back(device_json(device));
  report["disks"] = nlohmann::ordered_json::array();
  for (const machine::DiskInfo& disk : result.disks) report["disks"].push_back(machine::disk_json(disk));
  if (!result.hashes.empty()) {
    nlohmann::ordered_json chain = nlohmann::ordered_json::array();
    for (const machine::HashPoint& point : result.hashes) {
      chain.push_back({{"instructions", point.retired}, {"state_hash", hex(point.state_hash)}});
    }
    report["hashes"] = std::move(chain);
  }
  // Guest text (a panic message) may hold any bytes.
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<ReportFile> ReportFile::open(std::string_view what, const std::string& path) {
  if (path.empty()) return ReportFile();
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr)
    return Error{fmt::format("{} '{}' cannot be written: {}.", what, path, std::strerror(errno))};
  return ReportFile(file);
}

bool ReportFile::write(const std::string& text) {
  if (file_ == nullptr) return true;
  const bool stored = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
  return close() && stored;
}

bool ReportFile::close() {
  if (file_ == nullptr) return true;
  return std::fclose(std::exchange(file_, nullptr)) == 0;
}

}  // namespace reprise::frontend
