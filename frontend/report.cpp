#include "frontend/report.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "frontend/version.h"
#include "machine/board/engine_factory.h"

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

std::string_view rtc_start_name(RtcStart start) {
  switch (start) {
    case RtcStart::Fixed: return "fixed";
    case RtcStart::Option: return "option";
    case RtcStart::Host: return "host";
  }
  return "";
}

std::string firmware_name(const machine::FirmwareConfig& firmware) {
  return firmware.bios.empty() ? "seabios" : firmware.bios;
}

nlohmann::ordered_json file_json(const machine::FileRead& file) {
  return {{"what", file.what},
          {"file", file.path},
          {"bytes", file.bytes},
          {"modified_unix_ns", file.modified_unix_ns},
          {"digest", fmt::format("{:016x}", file.digest)}};
}

/// How the run ended.
nlohmann::ordered_json ending_json(const machine::RunResult& result, const std::vector<Loss>& lost) {
  nlohmann::ordered_json json = {{"exit_reason", machine::exit_reason_name(result.reason)},
                                 {"exit_code", result.exit_code},
                                 {"message", result.message}};
  json["lost"] = nlohmann::ordered_json::array();
  for (const Loss& loss : lost)
    json["lost"].push_back({{"output", loss.output}, {"bytes", loss.bytes}, {"why", loss.why}});
  return json;
}

/// What relative names of files are relative to; empty: it is gone.
std::string working_folder() {
  std::error_code error;
  return std::filesystem::current_path(error).string();
}

std::string text_of(const nlohmann::ordered_json& json) {
  // Guest text (a panic message) may hold any bytes.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string report_text(const RunOptions& options, const machine::RunResult& result,
                        const std::vector<Loss>& lost) {
  const auto hex = [](u64 value) { return fmt::format("{:016x}", value); };
  nlohmann::ordered_json report = ending_json(result, lost);
  report["version"] = version_text();
  report["cwd"] = working_folder();
  report["command"] = options.command;
  report["engine"] = machine::name_of_engine(options.config.engine);
  report["clock"] = options.limits.clock == machine::ClockMode::Paced ? "paced" : "free";
  report["processor"] = options.config.cpu.name;
  report["firmware"] = options.config.boot.kernel_path.empty() || !options.config.firmware.bios.empty()
                           ? firmware_name(options.config.firmware)
                           : "";
  report["machine"] = result.shape;
  report["files"] = nlohmann::ordered_json::array();
  for (const machine::FileRead& file : result.files) report["files"].push_back(file_json(file));
  report["displays"] = options.displays_opened;
  report["instructions"] = result.retired;
  report["position"] = result.position;
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
  report["rtc_from"] = rtc_start_name(options.rtc_start);
  report["network"] = machine::network_json(result.network);
  report["devices"] = nlohmann::ordered_json::array();
  for (const machine::DeviceConfig& device : options.config.devices)
    report["devices"].push_back(device_json(device));
  report["disks"] = nlohmann::ordered_json::array();
  for (const machine::DiskInfo& disk : result.disks)
    if (!disk.absent) report["disks"].push_back(machine::disk_json(disk));
  if (!result.hashes.empty()) {
    nlohmann::ordered_json chain = nlohmann::ordered_json::array();
    for (const machine::HashPoint& point : result.hashes) {
      chain.push_back({{"instructions", point.retired}, {"state_hash", hex(point.state_hash)}});
    }
    report["hashes"] = std::move(chain);
  }
  return text_of(report);
}

std::string short_report_text(const machine::RunResult& result, const std::vector<Loss>& lost) {
  return text_of(ending_json(result, lost));
}

std::string shortest_report_text(const machine::RunResult& result) {
  return fmt::format(R"({{"exit_reason":"{}","exit_code":{}}})", machine::exit_reason_name(result.reason),
                     result.exit_code) +
         "\n";
}

std::string unfinished_report_text() {
  return text_of({{"exit_reason", "unfinished"},
                  {"exit_code", nullptr},
                  {"message", "the run has not ended; if its process has, it was killed"},
                  {"process", getpid()}});
}

Result<ReportFile> ReportFile::open(std::string_view what, const std::string& path, OutputOpener& opener) {
  if (path.empty()) return ReportFile();
  return ReportFile(TRY(opener.open(what, path)));
}

ReportFile::ReportFile(machine::HostFd file) : file_(std::move(file)), reader_(file_.get()) {
  struct stat status = {};
  regular_ = fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode);
}

void ReportFile::write_for_now(std::string_view text) {
  if (!file_ || !regular_) return;
  if (put(text)) empty();
}

Result<Done> ReportFile::write(std::span<const std::string> texts) {
  if (!file_ || spoilt_) return Done{};
  std::optional<std::string> problem;
  for (const std::string& text : texts) {
    const std::optional<std::string> why = put(text);
    if (!why) break;
    if (!problem) problem = why;
    // What has gone into a pipe cannot be taken back.
    if (!regular_) {
      spoilt_ = true;
      break;
    }
    empty();
  }
  if (problem) return Error{*problem};
  return Done{};
}

std::optional<std::string> ReportFile::put(std::string_view text) {
  if (!regular_) {
    std::span<const u8> bytes(reinterpret_cast<const u8*>(text.data()), text.size());
    return reader_.write(bytes);
  }
  for (std::size_t done = 0; done < text.size();) {
    const std::string_view left = text.substr(done);
    const ssize_t count = pwrite(file_.get(), left.data(), left.size(), static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return machine::why_not_written(count == 0 ? ENOSPC : errno);
    done += static_cast<std::size_t>(count);
  }
  // Behind it, where OutputOpener::begin() cuts off what was there before.
  const auto end = static_cast<off_t>(text.size());
  if (ftruncate(file_.get(), end) != 0 || lseek(file_.get(), end, SEEK_SET) < 0)
    return machine::why_not_written(errno);
  return std::nullopt;
}

void ReportFile::empty() { [[maybe_unused]] const int emptied = ftruncate(file_.get(), 0); }

}  // namespace reprise::frontend
