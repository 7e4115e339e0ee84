#include "devices/net/e1000/phy.h"

namespace reprise::devices {
namespace {

// MDIC, 13.4.6.
constexpr u32 kDataMask = 0xffff;
constexpr unsigned kRegisterShift = 16, kPhyShift = 21;
constexpr u32 kOperationMask = 3u << 26, kWrite = 1u << 26, kRead = 2u << 26;
constexpr u32 kReady = 1u << 28, kError = 1u << 30;
constexpr u32 kOurPhy = 1;

constexpr unsigned kControl = 0, kStatus = 1, kIdHigh = 2, kIdLow = 3, kAdvertised = 4, kPartner = 5,
                   kExpansion = 6, kGigabitControl = 9, kGigabitStatus = 10, kExtendedStatus = 15,
                   kSpecificControl = 16, kSpecificStatus = 17, kExtendedControl = 20;
constexpr u16 kControlReset = 1u << 15, kControlRestart = 1u << 9;
constexpr u16 kStatusLink = 1u << 2, kStatusNegotiated = 1u << 5;
constexpr u16 kSpecificLink = 1u << 10, kSpecificResolved = 1u << 11;

constexpr bool is_writable(unsigned index) {
  return index == kControl || index == kAdvertised || index == kGigabitControl || index == kSpecificControl ||
         index == kExtendedControl;
}

}  // namespace

void E1000Phy::reset() {
  registers_ = {};
  registers_[kControl] = 0x1140;
  registers_[kStatus] = 0x7949;
  registers_[kIdHigh] = 0x0141;
  registers_[kIdLow] = 0x0c20;
  registers_[kAdvertised] = 0x0de1;
  registers_[kPartner] = 0x45e1;
  registers_[kExpansion] = 0x0001;
  registers_[kGigabitControl] = 0x0e00;
  registers_[kGigabitStatus] = 0x3c00;
  registers_[kExtendedStatus] = 0x3000;
  registers_[kSpecificControl] = 0x0360;
  registers_[kSpecificStatus] = 0xa000;  // 1000 Mbit/s, full duplex
  registers_[kExtendedControl] = 0x0d60;
}

u16 E1000Phy::read(unsigned index, bool link) const {
  u16 value = registers_[index];
  if (link && index == kStatus) value |= kStatusLink | kStatusNegotiated;
  if (link && index == kSpecificStatus) value |= kSpecificLink | kSpecificResolved;
  return value;
}

u32 E1000Phy::access(u32 mdic, bool link) {
  const unsigned index = mdic >> kRegisterShift & (kRegisters - 1);
  const u32 rest = mdic & ~(kDataMask | kReady | kError);
  if ((mdic >> kPhyShift & 0x1f) != kOurPhy) return rest | kDataMask | kReady | kError;
  switch (mdic & kOperationMask) {
    case kRead: return rest | read(index, link) | kReady;
    case kWrite: {
      const u16 value = static_cast<u16>(mdic);
      if (index == kControl && (value & kControlReset)) {
        reset();
      } else if (is_writable(index)) {
        // What was asked for has already happened.
        registers_[index] = index == kControl ? static_cast<u16>(value & ~kControlRestart) : value;
      }
      return rest | value | kReady;
    }
    default: return rest | kReady | kError;
  }
}

}  // namespace reprise::devices
