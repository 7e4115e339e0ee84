// Ac97Codec: the mixer of a sound card, its converters and their rates. Audio Codec '97, revision 2.1, chapter 5.
//
// It says that it is a SigmaTel STAC9700, with variable rates, which that chip has not: the pair that systems find in other
// virtual machines. Nothing is connected with the analog inputs; their registers hold what is written. Missing: tone, 3D,
// loopback, GPIO, a modem.
#pragma once

#include <array>
#include <string>

#include "common/archive.h"
#include "common/types.h"

namespace reprise::devices {

class Ac97Codec {
 public:
  /// Frames a second of the AC-link: the rate of converters whose rate is fixed.
  static constexpr u32 kLinkHz = 48'000;

  /// What a sample is multiplied with, in 65536ths.
  struct Gain {
    i64 left = 0;
    i64 right = 0;
  };

  Ac97Codec() { reset(); }

  /// `offset` is even and below 80h.
  u16 read(u8 offset) const { return registers_[offset / 2]; }
  void write(u8 offset, u16 value);
  void reset();
  /// After PR4 or PR5; registers keep their values.
  void warm_reset();

  /// False: it has stopped the link (PR4, PR5), and its registers cannot be reached.
  bool link_on() const;
  /// Samples a second; 0: the converter is powered down.
  u32 dac_hz() const;
  u32 adc_hz() const;
  u32 mic_hz() const;
  /// From the converters to the line out.
  Gain gain() const;

  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  static constexpr u8 kRegisterBytes = 0x80;
  u16& reg(u8 offset) { return registers_[offset / 2]; }
  void update_status();

  std::array<u16, kRegisterBytes / 2> registers_{};
};

}  // namespace reprise::devices
