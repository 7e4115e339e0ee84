#include "frontend/run_beginning.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cctype>

namespace reprise::frontend {
namespace {

/// A sentence behind a colon.
std::string continued(std::string sentence) {
  if (sentence.size() > 1 && std::islower(static_cast<unsigned char>(sentence[1])) != 0)
    sentence[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

}  // namespace

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

Result<Done> follow_recording(machine::Machine& machine, const std::string& path) {
  const Result<Done> followed =
      machine.follow(std::make_unique<machine::Replay>(TRY(machine::Recording::open(path))));
  if (followed) return Done{};
  return wrong_usage(
      fmt::format("recording '{}' cannot be replayed: {}", path, continued(followed.error().message)));
}

}  // namespace reprise::frontend
