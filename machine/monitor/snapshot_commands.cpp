// savevm and what belongs to it: states by name beside an image. docs/decisions/0017-named-states-lie-beside-an-image.md.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "machine/monitor/command.h"
#include "machine/snapshot/named_state.h"
#include "machine/snapshot/written_disk.h"

namespace reprise::machine::monitor {
namespace {

CommandError failed(std::string message) { return {CommandError::Kind::Failed, std::move(message)}; }

/// The first image that the run writes.
Result<std::string> image_of_states(const Machine& machine) {
  const std::vector<DiskInfo> disks = machine.disks().info();
  const auto found = std::ranges::find_if(disks, [](const DiskInfo& disk) {
    return !disk.absent && disk.media == DiskMedia::Disk && !disk.file.empty() && writes_a_file(disk);
  });
  if (found == disks.end())
    return Error{
        "No block device can store vmstate for snapshot: no image is written by this run, beside which it "
        "could lie; 'save FILE' "
        "writes the state to any file."};
  return found->overlay.empty() ? found->file : found->overlay;
}

std::string clock_text(u64 ns) {
  constexpr u64 kNsPerMs = 1'000'000;
  const u64 ms = ns / kNsPerMs, s = ms / 1000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000);
}

}  // namespace

Outcome savevm(Machine& machine, const Arguments& arguments) {
  std::string name(arguments.word("name"));
  if (name.empty()) name = fmt::format("vm-{}", machine.retired());
  if (const auto checked = check_state_name(name); !checked) return failed(checked.error().message);
  const Result<std::string> image = image_of_states(machine);
  if (!image) return failed(image.error().message);
  const std::string folder = folder_of_states(image.value());
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST)
    return failed(fmt::format("'{}' cannot be made: {}.", folder, std::strerror(errno)));
  const std::string path = path_of_state(image.value(), name);
  const Result<Done> saved = machine.save_file(path, StateForm::Pages);
  if (!saved) return failed(saved.error().message);
  Answer answer;
  answer.json = {{"name", name}, {"file", path}, {"instructions", machine.retired()}};
  return answer;
}

Outcome delvm(Machine& machine, const Arguments& arguments) {
  const std::string name(arguments.word("name"));
  if (const auto checked = check_state_name(name); !checked) return failed(checked.error().message);
  const Result<std::string> image = image_of_states(machine);
  if (!image) return failed(image.error().message);
  const std::vector<NamedState> states = named_states(image.value());
  if (std::ranges::find(states, name, &NamedState::name) == states.end())
    return failed(
        fmt::format("Snapshot '{}' does not exist in '{}'.", name, folder_of_states(image.value())));
  const std::string path = path_of_state(image.value(), name);
  if (unlink(path.c_str()) != 0)
    return failed(fmt::format("'{}' cannot be removed: {}.", path, std::strerror(errno)));
  return Answer{};
}

Outcome info_snapshots(Machine& machine, const Arguments&) {
  Answer answer;
  answer.json["snapshots"] = Json::array();
  const Result<std::string> image = image_of_states(machine);
  const std::vector<NamedState> states = image ? named_states(image.value()) : std::vector<NamedState>();
  answer.text = states.empty()
                    ? "There is no snapshot available.\n"
                    : fmt::format("{:<24} {:>10} {:>14} {:>20}\n", "TAG", "VM SIZE", "VM CLOCK", "ICOUNT");
  for (const NamedState& state : states) {
    answer.json["snapshots"].push_back({{"name", state.name},
                                        {"bytes", state.bytes},
                                        {"virtual_ns", state.virtual_ns},
                                        {"instructions", state.retired}});
    answer.text += fmt::format("{:<24} {:>10} {:>14} {:>20}\n", state.name, size_text(state.bytes),
                               clock_text(state.virtual_ns), state.retired);
  }
  return answer;
}

}  // namespace reprise::machine::monitor
