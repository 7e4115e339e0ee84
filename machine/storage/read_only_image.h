// ReadOnlyImage: a medium that takes no writes.
#pragma once

#include "devices/backend.h"

namespace reprise::machine {

class ReadOnlyImage : public devices::BlockBackend {
 public:
  bool read_only() const final { return true; }
  devices::BlockStatus write(u64, std::span<const u8>) final { return devices::BlockStatus::ReadOnly; }
  devices::BlockStatus flush() final { return devices::BlockStatus::Ok; }
  devices::BlockStatus discard(u64, u64) final { return devices::BlockStatus::ReadOnly; }
};

}  // namespace reprise::machine
