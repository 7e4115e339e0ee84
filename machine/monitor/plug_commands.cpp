// Cards that come and go while the guest runs: by QEMU's names of commands.
#include <fmt/format.h>

#include <algorithm>

#include "devices/virtio/virtio_balloon.h"
#include "devices/virtio/virtio_pci.h"
#include "machine/monitor/monitor.h"
#include "machine/monitor/plug_words.h"
#include "machine/outside/sink_names.h"
#include "machine/plug/device_registry.h"

namespace reprise::machine::monitor {
namespace {

Outcome outcome_of(const Result<Done>& result) {
  if (!result) return CommandError{CommandError::Kind::Failed, result.error().message};
  return Answer{};
}

struct Operation {
  std::string_view command;
  std::string_view argument;
  Result<Done> (PlugWords::*carry_out)(const std::string& text);
};
constexpr Operation kOperations[] = {
    {"drive_add", "drive", &PlugWords::add_drive},     {"drive_del", "id", &PlugWords::remove_drive},
    {"netdev_add", "network", &PlugWords::add_netdev}, {"netdev_del", "id", &PlugWords::remove_netdev},
    {"blockdev-add", "node", &PlugWords::add_node},    {"blockdev-del", "id", &PlugWords::remove_node},
};

/// nullptr: none is plugged in.
const devices::VirtioBalloon* find_balloon(Machine& machine) {
  for (const devices::Device* const device : machine.pc().devices())
    if (const auto* const card = dynamic_cast<const devices::VirtioPci*>(device))
      if (const auto* const balloon = dynamic_cast<const devices::VirtioBalloon*>(&card->device()))
        return balloon;
  return nullptr;
}

Outcome no_balloon() {
  return CommandError{CommandError::Kind::Failed, "No balloon device has been activated"};
}

}  // namespace

Outcome Monitor::plug(const std::string& text) {
  if (plug_words_ != nullptr)
    plug_words_->forget_gone([this](const std::string& id) { return machine_.hot_plug().has(id); });
  const Result<DeviceConfig> device =
      plug_words_ != nullptr ? plug_words_->device(text) : parse_device("device_add", text);
  if (!device) return CommandError{CommandError::Kind::Failed, device.error().message};
  return outcome_of(machine_.hot_plug().plug(device.value()));
}

Outcome Monitor::plug_part(std::string_view command, const std::string& text) {
  if (plug_words_ == nullptr)
    return CommandError{
        CommandError::Kind::Failed,
        fmt::format(
            "'{}' is for runs that began by QEMU's command line: here device_add virtio-blk,file=FILE,id=ID "
            "says it all.",
            command)};
  plug_words_->forget_gone([this](const std::string& id) { return machine_.hot_plug().has(id); });
  for (const Operation& operation : kOperations)
    if (operation.command == command) return outcome_of((plug_words_->*operation.carry_out)(text));
  return Answer{};
}

std::optional<Outcome> Monitor::plug_command(std::string_view command, const Arguments& arguments) {
  if (command == "device_add") return plug(std::string(arguments.word("device")));
  for (const Operation& operation : kOperations)
    if (operation.command == command)
      return plug_part(command, std::string(arguments.word(operation.argument)));
  return std::nullopt;
}

Outcome device_del(Machine& machine, const Arguments& arguments) {
  return outcome_of(machine.hot_plug().unplug(arguments.word("id")));
}

Outcome balloon(Machine& machine, const Arguments& arguments) {
  if (find_balloon(machine) == nullptr) return no_balloon();
  const u64 ram_bytes = machine.config().ram_bytes;
  const u64 mib = std::min(arguments.number("mib"), ram_bytes >> 20);
  if (mib == 0)
    return CommandError{CommandError::Kind::BadArgument, "'mib' is at least 1: the guest keeps some memory."};
  const u64 pages = (ram_bytes - (mib << 20)) / devices::VirtioBalloon::kPageBytes;
  machine.inbox().post({std::string(kBalloonSink), MediumEvent{fmt::format("{}{}", kBalloonPages, pages)}});
  return Answer{};
}

Outcome info_balloon(Machine& machine, const Arguments&) {
  const devices::VirtioBalloon* const device = find_balloon(machine);
  if (device == nullptr) return no_balloon();
  const u64 ram_bytes = machine.config().ram_bytes;
  const u64 given = std::min(device->given() * devices::VirtioBalloon::kPageBytes, ram_bytes);
  Answer answer;
  answer.json = {
      {"actual", ram_bytes - given}, {"target_pages", device->target()}, {"given_pages", device->given()}};
  answer.text = fmt::format("balloon: actual={}\n", (ram_bytes - given) >> 20);
  return answer;
}

}  // namespace reprise::machine::monitor
