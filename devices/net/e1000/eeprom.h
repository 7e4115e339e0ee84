// The serial EEPROM of an 82540EM: 64 words, read through EERD at once or through EECD bit by bit (Microwire). Intel
// 82540EM software developer's manual (317453), 5.3, 13.4.3, 13.4.4. Missing: writes.
#pragma once

#include <array>

#include "common/archive.h"
#include "devices/net/net_card.h"

namespace reprise::devices {

class E1000Eeprom {
 public:
  explicit E1000Eeprom(const MacAddress& mac);

  u16 word(unsigned index) const { return words_[index % kWords]; }
  /// EERD with the answer to what was written to it.
  u32 read_at_once(u32 eerd) const;
  u32 eecd() const;
  void write_eecd(u32 value);
  void reset();
  void serialize(Archive& archive);

 private:
  static constexpr unsigned kWords = 64;

  std::array<u16, kWords> words_{};
  // The wires as they were last driven, and the command so far.
  u32 wires_ = 0;
  u16 command_ = 0;
  u8 command_bits_ = 0;
  u8 bits_left_ = 0;  // of the word that is shifted out
  u16 out_ = 0;
  bool data_out_ = true;
};

}  // namespace reprise::devices
