// Sense: why a SCSI command failed. SPC-3 (T10/1416-D revision 23) 4.5.
#pragma once

#include <array>

#include "common/types.h"

namespace reprise::devices::scsi {

/// Sense key, additional sense code and its qualifier.
struct Sense {
  u8 key = 0;
  u8 code = 0;
  u8 qualifier = 0;
  bool operator==(const Sense&) const = default;
};

inline constexpr Sense kNoMedium{0x02, 0x3a, 0x00};
inline constexpr Sense kReadError{0x03, 0x11, 0x00};
inline constexpr Sense kWriteError{0x03, 0x0c, 0x00};
inline constexpr Sense kInvalidCommand{0x05, 0x20, 0x00};
inline constexpr Sense kAddressOutOfRange{0x05, 0x21, 0x00};
inline constexpr Sense kInvalidField{0x05, 0x24, 0x00};
inline constexpr Sense kUnitNotSupported{0x05, 0x25, 0x00};
inline constexpr Sense kInvalidParameter{0x05, 0x26, 0x00};
inline constexpr Sense kSavingNotSupported{0x05, 0x39, 0x00};
inline constexpr Sense kMediumChanged{0x06, 0x28, 0x00};
inline constexpr Sense kWasReset{0x06, 0x29, 0x00};
inline constexpr Sense kWriteProtected{0x07, 0x27, 0x00};
inline constexpr Sense kNoSpace{0x07, 0x27, 0x07};

/// Fixed format, as REQUEST SENSE gives it. 4.5.3.
inline constexpr std::array<u8, 18> sense_data(const Sense& sense) {
  std::array<u8, 18> bytes{};
  bytes[0] = 0x70;
  bytes[2] = sense.key;
  bytes[7] = 10;
  bytes[12] = sense.code;
  bytes[13] = sense.qualifier;
  return bytes;
}

}  // namespace reprise::devices::scsi
