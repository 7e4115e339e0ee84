// One file named by several options: what one of them writes, no other may use.
#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "frontend/options/check_medium.h"
#include "frontend/options/run_rows.h"
#include "machine/plug/disk_device.h"
#include "machine/storage/image_file.h"
#include "machine/storage/run_files.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

struct Use {
  std::string what;  // "the kernel"
  std::string path;
  bool written;
  bool disk = false;
};

void add(std::vector<Use>& uses, std::string_view what, const std::string& path, bool written) {
  if (!path.empty()) uses.push_back({std::string(what), path, written});
}

/// Uses of a machine's own files, which a run that is repeated does not write.
void as_repeated(std::vector<Use>& uses, const machine::MachineConfig& config) {
  if (!config.replayed || config.files == nullptr) return;
  for (Use& use : uses) {
    use.path = config.files->whole_name(use.path);
    use.written = false;
  }
}

void add(std::vector<Use>& uses, std::string_view what, const SerialTarget& target) {
  if (target.kind == SerialTarget::Kind::File) add(uses, what, target.path, true);
  add(uses, what, target.log_path, true);
}

/// "a disk", "a floppy", "a CD-ROM", as far as that is known.
std::string_view kind_of(const machine::DiskConfig& disk) {
  if (disk.media == machine::DiskMedia::Floppy) return "a floppy";
  return disk.media == machine::DiskMedia::Cdrom ? "a CD-ROM" : "a disk";
}

/// Terminals, pipes and /dev/null can be shared.
bool holds_content(const std::string& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  return type == fs::file_type::regular || type == fs::file_type::block || type == fs::file_type::not_found;
}

/// What a qcow2 image lies over. An image that cannot be read is told when it is opened.
void add_backing_files(std::vector<Use>& uses, const machine::DiskConfig& disk) {
  if (disk.path.empty() || disk.format == machine::DiskFormat::Raw || !holds_content(disk.path)) return;
  const auto image = machine::open_image_file("disk image", disk.path, machine::FileAccess::Read);
  if (!image.ok() || image.value().kind != machine::ImageKind::Qcow2) return;
  const auto chain = machine::backing_chain_of(image.value());
  if (!chain.ok()) return;
  for (const std::string& path : chain.value())
    add(uses, fmt::format("what the image '{}' lies over", disk.path), path, false);
}

std::vector<Use> uses_of(const RunOptions& options) {
  std::vector<Use> uses;
  const machine::MachineConfig& config = options.config;
  for (const machine::DiskConfig& disk : machine::disk_configs(config.devices)) {
    add(uses, kind_of(disk), disk.path, disk.write_through);
    if (!disk.path.empty()) uses.back().disk = true;
    add(uses, "an overlay", disk.overlay_path, true);
    add_backing_files(uses, disk);
  }
  for (const machine::DeviceConfig& device : config.devices)
    if (const std::string* rom = device.find("romfile")) add(uses, "an option ROM", *rom, false);
  add(uses, "the kernel", config.boot.kernel_path, false);
  add(uses, "the initrd", config.boot.initrd_path, false);
  add(uses, "the firmware", config.firmware.bios, false);
  for (const machine::FirmwareFile& file : config.firmware.files)
    add(uses, "a file of --fw-cfg", file.path, false);
  add(uses, "the variables of firmware", config.firmware.variables_path, true);
  as_repeated(uses, config);
  add(uses, "the symbols", options.symbols_path, false);
  add(uses, "the first serial port's output", options.com1);
  add(uses, "the second serial port's output", options.com2);
  if (options.console) add(uses, "the virtio console's output", *options.console);
  for (const SerialTarget& port : options.ports) add(uses, "the output of a port", port);
  add(uses, "the capture of the network", options.capture_path, true);
  add(uses, "the report", options.json_path, true);
  add(uses, "the page about memory", options.memory_page_path, true);
  add(uses, "the coverage", options.coverage_path, true);
  add(uses, "the turns", options.turns_path, true);
  add(uses, "the memory dump", options.memory_dump_path, true);
  if (options.trace_path != "-") add(uses, "the trace", options.trace_path, true);
  add(uses, "the recording", options.record_path, true);
  add(uses, "the recording", options.record_failure_path, true);
  add(uses, "the recording", options.replay_path, false);
  add(uses, "the state", options.load_path, false);
  add(uses, "the sound", options.sound.path, true);
  if (options.screen_path != "-") add(uses, "the screen dump", options.screen_path, true);
  return uses;
}

/// The file that opening `path` makes or opens: links are followed, also one that leads to nothing yet.
fs::path target_of(const std::string& path) {
  constexpr unsigned kMaxLinks = 40;
  std::error_code error;
  fs::path target = fs::absolute(path, error);
  for (unsigned i = 0; i < kMaxLinks && fs::is_symlink(target, error); ++i)
    target = target.parent_path() / fs::read_symlink(target, error);
  return fs::weakly_canonical(target, error);
}

bool are_one(const std::string& a, const std::string& b) {
  std::error_code error;
  if (!holds_content(a) || !holds_content(b)) return false;
  if (fs::exists(a, error) && fs::exists(b, error)) return fs::equivalent(a, b, error) && !error;
  return target_of(a) == target_of(b);
}

}  // namespace

void check_files(RunDraft& draft) {
  const std::vector<Use> uses = uses_of(draft.options);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Use& one = uses[j];
      const Use& other = uses[i];
      if (!one.written && !other.written && !(one.disk && other.disk)) continue;
      if (!are_one(one.path, other.path)) continue;
      if (one.written || other.written)
        throw BadValue{
            fmt::format("'{}' was given as {} and as {}, and the run would write to it: give two files",
                        other.path, one.what, other.what)};
      draft.options.remarks.push_back(fmt::format(
          "'{}' was given twice, as {} and as {}: the guest has both.", other.path, one.what, other.what));
    }
  }
}

Result<Done> check_medium(const RunOptions& options, const machine::DiskConfig& medium) {
  if (medium.path.empty()) return Done{};
  std::vector<Use> others = uses_of(options);
  // Which of these a drive has now, the drives know.
  std::erase_if(others, [](const Use& use) { return use.disk; });
  std::vector<Use> wanted = {{"a medium", medium.path, medium.write_through}};
  add_backing_files(wanted, medium);
  for (const Use& want : wanted)
    for (const Use& other : others)
      if ((want.written || other.written) && are_one(want.path, other.path))
        return Error{fmt::format("'{}' was given as {}, and the run would write to it: give another file.",
                                 want.path, other.what)};
  return Done{};
}

}  // namespace reprise::frontend
