// One channel's bus master registers and descriptor table. Programming Interface for Bus Master IDE
// Controller (Intel, revision 1.0); 82371SB datasheet (290550-002) section 2.7.
#pragma once

#include "common/archive.h"
#include "devices/ata/scatter_list.h"

namespace reprise::devices::ide {

class BusMaster {
 public:
  static constexpr u16 kPorts = 8;
  static constexpr u16 kCommand = 0;  // BMICX
  static constexpr u16 kStatus = 2;   // BMISX
  static constexpr u16 kTable = 4;    // BMIDTPX
  static constexpr u8 kCommandStart = 0x01;
  static constexpr u8 kCommandToMemory = 0x08;
  static constexpr u8 kStatusActive = 0x01;
  static constexpr u8 kStatusError = 0x02;
  static constexpr u8 kStatusInterrupt = 0x04;

  u8 read(u16 offset) const;
  /// Returns true when the write starts the engine.
  bool write(u16 offset, u8 value);
  void reset() { *this = {}; }
  void serialize(Archive& archive);

  bool active() const { return status_ & kStatusActive; }
  bool to_memory() const { return command_ & kCommandToMemory; }
  void interrupt_rose() { status_ |= kStatusInterrupt; }
  /// Collects the table's regions until they hold `bytes`, the table ends, or it leaves the 64 KiB it must
  /// lie in. False when the table is not in RAM.
  bool collect(DmaPort& dma, u64 bytes, ata::ScatterList& list) const;
  /// The table holds no more than what was moved.
  void table_ended() { status_ &= static_cast<u8>(~kStatusActive); }
  /// The bus did not answer.
  void fail();

 private:
  u8 command_ = 0;
  u8 status_ = 0;
  u32 table_phys_ = 0;
};

}  // namespace reprise::devices::ide
