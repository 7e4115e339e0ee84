// Bits of the device status, which both interfaces have. Virtio 1.2, 2.1.
#pragma once

#include "common/types.h"

namespace reprise::devices::virtio_status {

inline constexpr u8 kAcknowledge = 0x01;
inline constexpr u8 kDriver = 0x02;
inline constexpr u8 kDriverOk = 0x04;
inline constexpr u8 kFeaturesOk = 0x08;
inline constexpr u8 kNeedsReset = 0x40;
inline constexpr u8 kFailed = 0x80;

}  // namespace reprise::devices::virtio_status
