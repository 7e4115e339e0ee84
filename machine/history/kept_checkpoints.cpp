#include "machine/history/kept_checkpoints.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/hash.h"
#include "machine/history/instant_text.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMaxProgramBytes = 1000;
constexpr std::size_t kPieceBytes = 1 << 20;

struct Named {
  Position at;
  std::string path;
};

/// Of files with such names those at or before `at`, the last one first.
std::vector<Named> named_before(const std::string& recording, const Position& at) {
  std::vector<Named> found;
  std::error_code error;
  for (fs::directory_iterator entry(checkpoints_folder(recording), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::optional<Position> position = parse_instant(name);
    if (name.starts_with('@') && position && *position <= at)
      found.push_back({*position, entry->path().string()});
  }
  std::ranges::sort(found, [](const Named& a, const Named& b) { return a.at > b.at; });
  return found;
}

/// Error: it is not one of them, a sentence.
Result<KeptCheckpoint> open_checkpoint(const std::string& path, const std::string& recording,
                                       const std::string& program, const Position& at) {
  auto file = TRY(StateFileReader::open(path, path, kKeptCheckpoint));
  KeptPlace place = load_place(file->stream());
  const auto refused = [&](std::string_view why) {
    return Error{fmt::format("checkpoint '{}' {}.", path, why)};
  };
  if (!file->stream().ok()) return refused("is damaged: what it says of its place is");
  if (place.program != program) return refused("was kept by another program");
  // Names have no nanoseconds.
  if (Position{place.at.retired, 0, place.at.step} > at)
    return refused("is of a later instant than its name says");
  const Result<u64> digest = log_digest(recording, place.log_bytes);
  if (!digest || digest.value() != place.log_digest) return refused("is one of another recording");
  return KeptCheckpoint{std::move(file), std::move(place)};
}

}  // namespace

void save_place(StateWriter& writer, const KeptPlace& place) {
  writer.begin("place");
  writer.number(place.program.size());
  writer.bytes({reinterpret_cast<const u8*>(place.program.data()), place.program.size()});
  for (const u64 number :
       {place.at.retired, place.at.virtual_ns, place.at.step, place.log_bytes, place.log_digest})
    writer.number(number);
  writer.end();
}

KeptPlace load_place(StateReader& reader) {
  KeptPlace place;
  reader.begin("place");
  const u64 bytes = reader.number();
  if (bytes > kMaxProgramBytes) reader.fail("It is damaged: the name of its program is too long.");
  place.program.resize(reader.ok() ? bytes : 0);
  reader.bytes({reinterpret_cast<u8*>(place.program.data()), place.program.size()});
  for (u64* const number :
       {&place.at.retired, &place.at.virtual_ns, &place.at.step, &place.log_bytes, &place.log_digest})
    *number = reader.number();
  reader.end();
  return place;
}

Result<u64> log_digest(const std::string& recording, u64 bytes) {
  const HostFd file(::open(recording.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return Error{"the recording cannot be read"};
  std::vector<u8> piece(kPieceBytes);
  u64 digest = 0;
  for (u64 done = 0; done < bytes;) {
    const std::span<u8> part = std::span(piece).first(std::min<u64>(kPieceBytes, bytes - done));
    if (host_read(file.get(), done, part).bytes != part.size()) return Error{"the recording ends before"};
    digest = hash64(part, digest);
    done += part.size();
  }
  return digest;
}

std::string checkpoints_folder(const std::string& recording) { return recording + ".checkpoints"; }

std::string checkpoint_path(const std::string& recording, const Position& at) {
  const std::string step = at.step == 0 ? "" : fmt::format(".{}", at.step);
  return fmt::format("{}/@{}{}", checkpoints_folder(recording), at.retired, step);
}

std::optional<KeptCheckpoint> find_checkpoint(const std::string& recording, const std::string& program,
                                              const Position& at, std::string& passed_by) {
  passed_by.clear();
  for (const Named& named : named_before(recording, at)) {
    Result<KeptCheckpoint> opened = open_checkpoint(named.path, recording, program, at);
    if (opened) return opened.take();
    if (passed_by.empty()) passed_by = opened.error().message;
  }
  return std::nullopt;
}

}  // namespace reprise::machine
