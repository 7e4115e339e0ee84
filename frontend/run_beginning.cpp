#include "frontend/run_beginning.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cctype>

#include "frontend/version.h"
#include "machine/snapshot/media_state.h"

namespace reprise::frontend {
namespace {

/// A sentence behind a colon.
std::string continued(std::string sentence) {
  if (sentence.size() > 1 && std::islower(static_cast<unsigned char>(sentence[1])) != 0)
    sentence[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

}  // namespace

std::vector<machine::HeldMedium> media_of_state(const std::string& path, machine::RunFiles& files) {
  const auto file = machine::StateFileReader::open(path, files.place_of(path));
  if (!file) return {};
  machine::load_origin(file.value()->stream());
  std::vector<machine::HeldMedium> media = machine::load_media(file.value()->stream());
  if (!file.value()->stream().ok()) media.clear();
  return media;
}

Result<Done> load_state(machine::Machine& machine, const std::string& path, machine::RunFiles& files) {
  if (files.repeated() && !files.exists(path))
    return Error{fmt::format("saved state '{}' does not exist{}.", path, files.how_to_move(path))};
  const auto file = TRY(machine::StateFileReader::open(path, files.place_of(path)));
  machine::load_origin(file->stream());
  const Result<Done> loaded = machine.load(file->stream(), file->ram());
  if (loaded) {
    struct stat status = {};
    const u64 bytes = fstat(file->fd(), &status) == 0 ? static_cast<u64>(status.st_size) : 0;
    if (files.collector()) TRY(files.collect_file(path, file->fd()));
    machine.begin_from_state({"saved state", files.whole_name(path), bytes, file->stream().digest()});
    return Done{};
  }
  return Error{fmt::format("saved state '{}' cannot be loaded: {}", path, continued(loaded.error().message)),
               ErrorKind::Usage};
}

namespace {

Error cannot_be_replayed(const std::string& path, const Error& error) {
  return {fmt::format("recording '{}' cannot be replayed: {}", path, continued(error.message)),
          ErrorKind::Usage};
}

}  // namespace

Result<Done> follow_recording(machine::Machine& machine, const std::string& path) {
  const Result<Done> followed =
      machine.follow(std::make_unique<machine::Replay>(TRY(machine::Recording::open(path))));
  if (followed) return Done{};
  return cannot_be_replayed(path, followed.error());
}

Result<Done> follow_from(machine::Machine& machine, const std::string& path, const machine::Position& begin,
                         const std::function<void(const std::string&)>& say) {
  std::string passed_by;
  std::optional<machine::KeptCheckpoint> kept =
      machine::find_checkpoint(path, build_text(), begin, passed_by);
  if (!passed_by.empty()) say(passed_by);
  if (!kept) {
    say(fmt::format("no checkpoint at or before {} was kept of '{}': it begins where the recording does.",
                    machine::position_text(begin), path));
    return follow_recording(machine, path);
  }
  auto replay = std::make_unique<machine::Replay>(TRY(machine::Recording::open(path)));
  const Result<Done> followed = machine.follow_from(std::move(replay), *kept);
  if (followed) {
    say(fmt::format("it begins at {}, of which a checkpoint was kept.",
                    machine::position_text(machine.position())));
    return Done{};
  }
  return wrong_usage(
      fmt::format("the replay of '{}' cannot begin with checkpoint '{}', which can be removed: {}", path,
                  kept->file->path(), continued(followed.error().message)));
}

}  // namespace reprise::frontend
