// Whose partitions a disk has, to choose a bus that its system knows.
#pragma once

#include <string_view>

#include "devices/backend.h"

namespace reprise::machine {

enum class DiskOwner : u8 {
  Blank,  // the first sector is zero
  Unix,   // partitions of Linux or a BSD, or GPT without any of Windows
  Other,  // anything else, also a boot sector alone
};

DiskOwner owner_of(devices::BlockBackend& disk);

}  // namespace reprise::machine
