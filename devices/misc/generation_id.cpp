#include "devices/misc/generation_id.h"

#include <fmt/format.h>

namespace reprise::devices {

void GenerationId::serialize(Archive& archive) {
  archive.tag("generation_id");
  for (u8& byte : id_) archive.value(byte);
}

std::string GenerationId::debug_dump() const {
  std::string text = "id=";
  for (const u8 byte : id_) text += fmt::format("{:02x}", byte);
  return text + "\n";
}

u64 GenerationId::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) {
    const u64 at = offset + i - kIdOffset;
    if (at < id_.size()) value |= u64{id_[at]} << (8 * i);
  }
  return value;
}

}  // namespace reprise::devices
