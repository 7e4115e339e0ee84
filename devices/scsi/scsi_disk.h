// ScsiDisk: a disk as SBC-3 (T10/1799-D revision 36) and SPC-3 describe it: blocks of 512 bytes, a write cache that is flushed
// by SYNCHRONIZE CACHE and FUA, thin provisioning (UNMAP, WRITE SAME). Missing: MODE SELECT, FORMAT UNIT, protection
// information, comparing (VERIFY with BYTCHK, COMPARE AND WRITE), persistent reservations.
#pragma once

#include "devices/backend.h"
#include "devices/scsi/logical_unit.h"

namespace reprise::devices::scsi {

class ScsiDisk final : public LogicalUnit {
 public:
  /// `medium` outlives its stay. nullptr: the disk waits to be plugged in, and gets it then.
  ScsiDisk(BlockBackend* medium, std::string serial);
  void set_medium(BlockBackend* medium) { medium_ = medium; }

  void set_serial(std::string_view serial) override { serial_ = serial; }

  Outcome execute(Command command, Transfer& transfer) override;
  void reset() override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  enum class Operation : u8 {
    TestUnitReady = 0x00,
    RequestSense = 0x03,
    Read6 = 0x08,
    Write6 = 0x0a,
    Inquiry = 0x12,
    Reserve6 = 0x16,
    Release6 = 0x17,
    ModeSense6 = 0x1a,
    StartStopUnit = 0x1b,
    PreventAllow = 0x1e,
    ReadCapacity10 = 0x25,
    Read10 = 0x28,
    Write10 = 0x2a,
    Seek10 = 0x2b,
    WriteAndVerify10 = 0x2e,
    Verify10 = 0x2f,
    SynchronizeCache10 = 0x35,
    WriteSame10 = 0x41,
    Unmap = 0x42,
    ModeSense10 = 0x5a,
    Read16 = 0x88,
    Write16 = 0x8a,
    WriteAndVerify16 = 0x8e,
    Verify16 = 0x8f,
    SynchronizeCache16 = 0x91,
    WriteSame16 = 0x93,
    ServiceActionIn16 = 0x9e,
    Read12 = 0xa8,
    Write12 = 0xaa,
    WriteAndVerify12 = 0xae,
    Verify12 = 0xaf,
  };
  struct Row {
    Operation operation;
    Outcome (ScsiDisk::*act)(Command command, Transfer& transfer);
    bool answers_always = false;  // also while a unit attention waits
  };
  static const Row kRows[];

  /// Blocks that a command names.
  struct Range {
    u64 block = 0;
    u64 count = 0;
  };
  static Range range_of(Command command);
  Outcome check(const Range& range) const;
  u64 blocks() const { return medium_ != nullptr ? medium_->bytes() / BlockBackend::kSectorBytes : 0; }

  Outcome done(Command command, Transfer& transfer);
  Outcome request_sense(Command command, Transfer& transfer);
  Outcome inquiry(Command command, Transfer& transfer);
  Outcome mode_sense(Command command, Transfer& transfer);
  Outcome read_capacity10(Command command, Transfer& transfer);
  Outcome service_action_in(Command command, Transfer& transfer);
  Outcome read(Command command, Transfer& transfer);
  Outcome write(Command command, Transfer& transfer);
  Outcome verify(Command command, Transfer& transfer);
  Outcome synchronize(Command command, Transfer& transfer);
  Outcome write_same(Command command, Transfer& transfer);
  Outcome unmap(Command command, Transfer& transfer);
  Outcome flush();
  Outcome zero(const Range& range);

  BlockBackend* medium_;
  std::string serial_;
  std::vector<u8> buffer_;
  Sense attention_;  // told by the next command that tells of such things
};

}  // namespace reprise::devices::scsi
