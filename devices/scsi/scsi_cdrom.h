// ScsiCdrom: a CD/DVD-ROM drive on a SCSI transport: the drive of devices/ata/cdrom.h, which knows the commands of MMC-5, with
// what a packet device on an ATA cable has not: vital product data, MODE SENSE(6).
#pragma once

#include "devices/ata/cdrom.h"
#include "devices/scsi/logical_unit.h"

namespace reprise::devices::scsi {

class ScsiCdrom final : public LogicalUnit {
 public:
  /// `disc`: 0 bytes mean an empty drive. Outlives this.
  ScsiCdrom(BlockBackend& disc, std::string serial);

  ata::Cdrom& drive() { return drive_; }

  Outcome execute(Command command, Transfer& transfer) override;
  void set_serial(std::string_view serial) override {
    serial_ = serial;
    drive_.set_serial(serial);
  }
  void reset() override { drive_.reset(); }
  void serialize(Archive& archive) override { drive_.serialize(archive); }
  std::string debug_dump() const override { return drive_.debug_dump(); }

 private:
  using Packet = std::array<u8, ata::kPacketBytes>;
  Outcome execute_packet(const Packet& packet, Transfer& transfer);
  Outcome mode_sense(Command command, Transfer& transfer);

  std::string serial_;
  ata::Cdrom drive_;
  std::vector<u8> buffer_;
};

}  // namespace reprise::devices::scsi
