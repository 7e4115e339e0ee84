#include "devices/ata/unit.h"

namespace reprise::devices::ata {

void Work::serialize(Archive& archive) {
  archive.value(command);
  archive.at_most(data, DataPhase::Packet);
  archive.at_most(action, Action::Trim);
  archive.value(dma);
  archive.value(packet);
  archive.value(extended);
  archive.value(durable);
  archive.value(silent);
  archive.value(error);
  archive.value(failed_status);
  archive.value(tag);
  archive.value(first_byte);
  archive.at_most(bytes, kMaxWorkBytes);
  archive.at_most(block_bytes, kMaxBlockBytes);
  archive.value(failed_sector);
  archive.value(has_failed_sector);
}

u8 Unit::power_mode() const {
  constexpr u8 kActive = 0xff, kIdle = 0x80, kStandby = 0x00;
  if (power_ == Power::Active) return kActive;
  return power_ == Power::Idle ? kIdle : kStandby;
}

}  // namespace reprise::devices::ata
