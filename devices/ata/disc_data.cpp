#include "devices/ata/disc_data.h"

#include <algorithm>
#include <initializer_list>

namespace reprise::devices::ata {
namespace {

constexpr u8 kDataTrack = 0x14;  // ADR 1, control 4: data, no copying
constexpr u8 kLeadOut = 0xaa;
constexpr u64 kPregapFrames = 150;
constexpr u16 kProfileCdRom = 0x0008;
constexpr u16 kProfileDvdRom = 0x0010;

using Bytes = std::vector<u8>;

void put(Bytes& bytes, std::initializer_list<unsigned> values) {
  for (const unsigned value : values) bytes.push_back(static_cast<u8>(value));
}
void put16(Bytes& bytes, u64 value) { put(bytes, {unsigned(value >> 8), unsigned(value)}); }
void put32(Bytes& bytes, u64 value) {
  put16(bytes, value >> 16);
  put16(bytes, value);
}
void put_at16(Bytes& bytes, std::size_t at, u64 value) {
  bytes[at] = static_cast<u8>(value >> 8);
  bytes[at + 1] = static_cast<u8>(value);
}

/// Minutes, seconds, frames; 75 frames a second. Discs beyond 255 minutes show the largest address.
void put_msf(Bytes& bytes, u64 block) {
  const u64 frames = std::min<u64>(block + kPregapFrames, 256 * 60 * 75 - 1);
  put(bytes, {unsigned(frames / (60 * 75)), unsigned(frames / 75 % 60), unsigned(frames % 75)});
}

void put_address(Bytes& bytes, u64 block, AddressForm form) {
  if (form == AddressForm::Lba) return put32(bytes, block);
  bytes.push_back(0);
  put_msf(bytes, block);
}

}  // namespace

Bytes toc_tracks(const DiscFacts& disc, AddressForm form, u8 first_track) {
  if (first_track > 1 && first_track != kLeadOut) return {};
  Bytes bytes;
  put(bytes, {0, 0, 1, 1});
  if (first_track <= 1) {
    put(bytes, {0, kDataTrack, 1, 0});
    put_address(bytes, 0, form);
  }
  put(bytes, {0, kDataTrack, kLeadOut, 0});
  put_address(bytes, disc.blocks, form);
  put_at16(bytes, 0, bytes.size() - 2);
  return bytes;
}

Bytes toc_sessions(AddressForm form) {
  Bytes bytes;
  put(bytes, {0, 10, 1, 1, 0, kDataTrack, 1, 0});
  put_address(bytes, 0, form);
  return bytes;
}

Bytes toc_full(const DiscFacts& disc) {
  Bytes bytes;
  put(bytes, {0, 0, 1, 1});
  const auto entry = [&](unsigned point) { put(bytes, {1, kDataTrack, 0, point, 0, 0, 0, 0}); };
  entry(0xa0);
  put(bytes, {1, 0, 0});  // first track
  entry(0xa1);
  put(bytes, {1, 0, 0});  // last track
  entry(0xa2);
  put_msf(bytes, disc.blocks);
  entry(1);
  put_msf(bytes, 0);
  put_at16(bytes, 0, bytes.size() - 2);
  return bytes;
}

Bytes configuration(const DiscFacts& disc, u16 start, FeatureRequest request) {
  const u16 profile = !disc.present ? 0 : disc.dvd ? kProfileDvdRom : kProfileCdRom;
  const bool cd = profile == kProfileCdRom, dvd = profile == kProfileDvdRom;
  struct Feature {
    u16 code;
    u8 version;
    bool persistent;
    bool current;
    Bytes data;
  };
  Bytes profiles;
  put16(profiles, kProfileDvdRom);
  put(profiles, {dvd, 0});
  put16(profiles, kProfileCdRom);
  put(profiles, {cd, 0});
  const Feature features[] = {
      {0x0000, 0, true, true, profiles},
      {0x0001, 2, true, true, {0, 0, 0, 2, 0, 0, 0, 0}},        // core: ATAPI
      {0x0002, 1, true, true, {2, 0, 0, 0}},                    // morphing: operational changes
      {0x0003, 0, true, true, {0x29, 0, 0, 0}},                 // removable: tray, eject, lock
      {0x0010, 0, false, cd || dvd, {0, 0, 8, 0, 0, 1, 0, 0}},  // random readable: 2048-byte blocks
      {0x001e, 2, false, cd, {0, 0, 0, 0}},                     // CD read
      {0x001f, 1, false, dvd, {0, 0, 0, 0}},                    // DVD read
  };
  Bytes bytes;
  put32(bytes, 0);
  put16(bytes, 0);
  put16(bytes, profile);
  for (const Feature& feature : features) {
    if (request == FeatureRequest::One ? feature.code != start : feature.code < start) continue;
    if (request == FeatureRequest::Current && !feature.current) continue;
    put16(bytes, feature.code);
    put(bytes, {feature.version * 4u | (feature.persistent ? 2u : 0u) | (feature.current ? 1u : 0u),
                static_cast<unsigned>(feature.data.size())});
    bytes.insert(bytes.end(), feature.data.begin(), feature.data.end());
  }
  put_at16(bytes, 2, bytes.size() - 4);
  return bytes;
}

Bytes mode_pages(const DiscFacts& disc, u8 page) {
  constexpr u8 kErrorRecovery = 0x01, kCapabilities = 0x2a, kAll = 0x3f;
  Bytes bytes(8, 0);
  bytes[2] = !disc.present ? (disc.tray_open ? 0x71 : 0x70) : 0x01;  // medium type, as old drivers read it
  if (page == kErrorRecovery || page == kAll) put(bytes, {kErrorRecovery, 6, 0, 5, 0, 0, 0, 0});
  if (page == kCapabilities || page == kAll) {
    put(bytes, {kCapabilities, 20, 0x0b, 0x00, 0x70, 0x00});  // reads CD-R, CD-RW, DVD; mode 2, sessions
    put(bytes, {0x29u | (disc.locked ? 2u : 0u), 0});         // tray, eject, lock
    put16(bytes, 706);                                        // kB/s: 4x
    put16(bytes, 0);                                          // volume levels
    put16(bytes, 512);                                        // KiB of buffer
    put16(bytes, 706);
    bytes.insert(bytes.end(), 6, 0);
  }
  if (bytes.size() == 8) return {};
  put_at16(bytes, 0, bytes.size() - 2);
  return bytes;
}

Bytes disc_information() {
  Bytes bytes(34, 0);
  bytes[1] = 32;
  bytes[2] = 0x0e;  // complete disc, complete session
  // First track; sessions; first and last track of the last session.
  bytes[3] = bytes[4] = bytes[5] = bytes[6] = 1;
  bytes[7] = 0x20;  // unrestricted use
  std::fill(bytes.begin() + 16, bytes.begin() + 24, u8{0xff});
  return bytes;
}

}  // namespace reprise::devices::ata
