#include "machine/snapshot/media_state.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxMedia = 1000;
constexpr u64 kMaxPathBytes = 4096;

}  // namespace

void save_media(StateWriter& writer, const std::vector<HeldMedium>& media) {
  writer.begin("media");
  writer.number(media.size());
  for (const HeldMedium& held : media) {
    writer.text(held.drive);
    writer.text(held.path);
  }
  writer.end();
}

std::vector<HeldMedium> load_media(StateReader& reader) {
  reader.begin("media");
  const u64 count = reader.number();
  if (count > kMaxMedia) reader.fail("It is damaged: it has too many media.");
  std::vector<HeldMedium> media;
  for (u64 i = 0; reader.ok() && i < count; ++i) {
    HeldMedium held;
    held.drive = reader.text(kMaxPathBytes);
    held.path = reader.text(kMaxPathBytes);
    media.push_back(std::move(held));
  }
  reader.end();
  return media;
}

}  // namespace reprise::machine
