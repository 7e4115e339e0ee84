#include "devices/sound/ac97/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace reprise::devices {
namespace {

constexpr u8 kReset = 0x00;
constexpr u8 kMaster = 0x02;
constexpr u8 kMasterMono = 0x06;
constexpr u8 kPcmOut = 0x18;
constexpr u8 kPowerdown = 0x26;
constexpr u8 kExtendedId = 0x28;
constexpr u8 kExtendedControl = 0x2a;
constexpr u8 kDacRate = 0x2c;
constexpr u8 kAdcRate = 0x32;
constexpr u8 kMicRate = 0x34;
constexpr u8 kVendorId1 = 0x7c;
constexpr u8 kVendorId2 = 0x7e;

constexpr u16 kMute = 1u << 15;
constexpr u16 kVariableRate = 1u << 0;     // VRA
constexpr u16 kVariableMicRate = 1u << 3;  // VRM
constexpr u16 kMinHz = 4'000;

// Powerdown control/status, 5.2.18: PR0 to PR5, and what is ready.
constexpr u16 kAdcOff = 1u << 8;
constexpr u16 kDacOff = 1u << 9;
constexpr u16 kMixerOff = 1u << 10;      // PR2
constexpr u16 kReferenceOff = 1u << 11;  // PR3, the mixer with it
constexpr u16 kLinkOff = 1u << 12 | 1u << 13;
constexpr u16 kAdcReady = 1u << 0;
constexpr u16 kDacReady = 1u << 1;
constexpr u16 kMixerReady = 1u << 2;
constexpr u16 kReferenceReady = 1u << 3;

struct Row {
  u8 offset;
  u16 reset;
  u16 writable;
};
/// Others read as zero. 5.7.
constexpr Row kRows[] = {
    {kReset, 0, 0},
    {kMaster, 0x8000, 0xbf3f},
    {kMasterMono, 0x8000, 0x803f},
    {0x0a, 0x0000, 0x801e},  // PC beep
    {0x0c, 0x8008, 0x801f},  // phone
    {0x0e, 0x8008, 0x805f},  // microphone
    {0x10, 0x8808, 0x9f1f},  // line in
    {0x12, 0x8808, 0x9f1f},  // CD
    {0x14, 0x8808, 0x9f1f},  // video
    {0x16, 0x8808, 0x9f1f},  // aux
    {kPcmOut, 0x8808, 0x9f1f},
    {0x1a, 0x0000, 0x0707},  // record select
    {0x1c, 0x8000, 0x8f0f},  // record gain
    {0x20, 0x0000, 0x0300},  // general purpose: mono source, microphone
    {kPowerdown, 0x0000, 0xff00},
    {kExtendedId, kVariableRate | kVariableMicRate, 0},
    {kExtendedControl, 0x0000, kVariableRate | kVariableMicRate},
    {kDacRate, Ac97Codec::kLinkHz, 0xffff},
    {kAdcRate, Ac97Codec::kLinkHz, 0xffff},
    {kMicRate, Ac97Codec::kLinkHz, 0xffff},
    {kVendorId1, 0x8384, 0},
    {kVendorId2, 0x7600, 0},
};

/// Bits that `offset` takes; none: there is no such register.
u16 writable_bits(u8 offset) {
  const auto* row = std::ranges::find(kRows, offset, &Row::offset);
  return row == std::end(kRows) ? u16{0} : row->writable;
}

/// 5.7.2: a sixth bit of a volume that has five stands for the most that they can say.
u16 with_five_bits(u16 volume) {
  for (const unsigned shift : {0u, 8u})
    if (volume >> shift & 0x20) volume = static_cast<u16>((volume & ~(0x3fu << shift)) | 0x1fu << shift);
  return volume;
}

/// 65536 * 10^(-1.5 n / 20) from n = -8 on: 12 dB, and each 1.5 dB less.
constexpr u32 kGains[] = {260904, 219523, 184706, 155410, 130762, 110022, 92572, 77890, 65536, 55142, 46396,
                          39037,  32846,  27636,  23253,  19565,  16462,  13851, 11654, 9806,  8250,  6942,
                          5841,   4915,   4135,   3479,   2927,   2463,   2072,  1744,  1467,  1234,  1039,
                          874,    735,    619,    521,    438,    369,    310,   261,   220,   185,   155,
                          131,    110,    93,     78,     66,     55,     46,    39,    33,    28,    23,
                          20,     16,     14,     12,     10,     8,      7,     6};
static_assert(std::size(kGains) == 31 + 31 + 1);

}  // namespace

void Ac97Codec::reset() {
  registers_ = {};
  for (const Row& row : kRows) reg(row.offset) = row.reset;
  update_status();
}

void Ac97Codec::warm_reset() { reg(kPowerdown) &= static_cast<u16>(~kLinkOff); }

void Ac97Codec::write(u8 offset, u16 value) {
  if (offset == kReset) return reset();
  const u16 writable = writable_bits(offset);
  if (writable == 0) return;
  const u16 extended = read(kExtendedControl);
  const bool is_rate = offset == kDacRate || offset == kAdcRate || offset == kMicRate;
  if (is_rate) {
    if (!(extended & (offset == kMicRate ? kVariableMicRate : kVariableRate))) return;
    value = std::clamp(value, kMinHz, static_cast<u16>(kLinkHz));
  }
  if (offset == kMaster || offset == kMasterMono) value = with_five_bits(value);
  reg(offset) = static_cast<u16>((read(offset) & ~writable) | (value & writable));
  if (offset == kExtendedControl) {
    if (!(value & kVariableRate)) reg(kDacRate) = reg(kAdcRate) = static_cast<u16>(kLinkHz);
    if (!(value & kVariableMicRate)) reg(kMicRate) = static_cast<u16>(kLinkHz);
  }
  update_status();
}

void Ac97Codec::update_status() {
  const u16 off = read(kPowerdown) & 0xff00;
  u16 ready = 0;
  if (!(off & kAdcOff)) ready |= kAdcReady;
  if (!(off & kDacOff)) ready |= kDacReady;
  if (!(off & (kMixerOff | kReferenceOff))) ready |= kMixerReady;
  if (!(off & kReferenceOff)) ready |= kReferenceReady;
  reg(kPowerdown) = off | ready;
}

bool Ac97Codec::link_on() const { return (read(kPowerdown) & kLinkOff) == 0; }
u32 Ac97Codec::dac_hz() const { return read(kPowerdown) & kDacReady ? read(kDacRate) : 0; }
u32 Ac97Codec::adc_hz() const { return read(kPowerdown) & kAdcReady ? read(kAdcRate) : 0; }
u32 Ac97Codec::mic_hz() const { return read(kPowerdown) & kAdcReady ? read(kMicRate) : 0; }

Ac97Codec::Gain Ac97Codec::gain() const {
  const u16 master = read(kMaster);
  const u16 pcm = read(kPcmOut);
  if ((master | pcm) & kMute || !(read(kPowerdown) & kMixerReady)) return {};
  return {.left = kGains[(pcm >> 8 & 0x1f) + (master >> 8 & 0x1f)],
          .right = kGains[(pcm & 0x1f) + (master & 0x1f)]};
}

void Ac97Codec::serialize(Archive& archive) {
  archive.tag("ac97_codec");
  archive.value(registers_);
  if (!archive.loading()) return;
  for (const u8 rate : {kDacRate, kAdcRate, kMicRate})
    if (read(rate) < kMinHz || read(rate) > kLinkHz) archive.fail();
  if (!archive.ok()) reset();
}

std::string Ac97Codec::debug_dump() const {
  std::string text = "codec:";
  for (const Row& row : kRows) text += fmt::format(" {:02x}={:04x}", row.offset, read(row.offset));
  return text + "\n";
}

}  // namespace reprise::devices
