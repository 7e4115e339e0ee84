// The transceiver of an 82540EM, as far as drivers look: registers behind MDIC. Intel 82540EM manual, 13.4.6 and chapter
// 13.5; IEEE 802.3, 22.2.4. The other end always speaks 1000 Mbit/s, full duplex.
#pragma once

#include <array>

#include "common/archive.h"

namespace reprise::devices {

class E1000Phy {
 public:
  static constexpr unsigned kRegisters = 32;

  E1000Phy() { reset(); }
  /// MDIC with the answer to what was written to it. `link`: there is a cable.
  u32 access(u32 mdic, bool link);
  void reset();
  void serialize(Archive& archive) { archive.value(registers_); }

 private:
  u16 read(unsigned index, bool link) const;

  std::array<u16, kRegisters> registers_{};
};

}  // namespace reprise::devices
