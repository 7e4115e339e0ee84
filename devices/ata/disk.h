// Disk: an ATA hard disk without its cable. ATA8-ACS (T13/1699-D revision 6a): the general feature set with
// CHS, 28- and 48-bit addresses, PIO, DMA, FUA, flush, TRIM, power modes and, on a serial cable, native
// command queuing. Missing: SMART, security, host protected area (READ NATIVE MAX answers), media card and
// streaming features: aborted.
#pragma once

#include <string>

#include "devices/ata/identify.h"
#include "devices/ata/unit.h"
#include "devices/backend.h"

namespace reprise::devices::ata {

class Disk final : public Unit {
 public:
  static constexpr u8 kMaxMultiple = 16;
  static constexpr unsigned kMaxTrimBlocks = 8;
  static constexpr unsigned kQueueDepth = 32;

  /// `serial`: at most 20 printable characters. `medium` outlives this.
  Disk(BlockBackend& medium, std::string serial, Cable cable);

  void reset() override;
  void soft_reset() override;
  void sign(TaskFile& registers) const override;
  bool is_packet_device() const override { return false; }
  Work begin(Command command, TaskFile& registers) override;
  Work begin_packet(std::span<const u8, kPacketBytes> packet, bool dma) override;
  u64 read(Work& work, u64 offset, std::span<u8> into) override;
  u64 write(Work& work, u64 offset, std::span<const u8> from) override;
  void finish(Work& work, TaskFile& registers) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  /// What went wrong with the last queued command that did; READ LOG EXT page 10h.
  struct QueuedError {
    u8 tag = 0;
    u8 status = 0;
    u8 error = 0;
    u64 sector = 0;
  };

  u64 sectors() const { return medium_.bytes() / kSectorBytes; }
  Geometry native_geometry() const;
  Geometry current_geometry() const;
  /// The sector that 28-bit or CHS registers name; false: there is none.
  bool sector28(const TaskFile& registers, u64& sector) const;

  /// Where a command finds its sectors.
  enum class Address : u8 { None, Lba28, Lba48, Queued };
  /// How it moves them; Own: as `act` says, or without data.
  enum class Protocol : u8 {
    Own,
    PioIn,
    PioOut,
    MultipleIn,
    MultipleOut,
    MultipleOutFua,
    DmaIn,
    DmaOut,
    DmaOutFua,
    Verify,
    Flush
  };
  struct CommandRow {
    Command command;
    Address address;
    Protocol protocol;
    void (Disk::*act)(Work& work, const TaskFile& registers) = nullptr;
  };
  static const CommandRow kCommands[];
  static const CommandRow* row_of(Command command);

  // begin(), by column
  void address(Work& work, Address form, const TaskFile& registers);
  void address28(Work& work, const TaskFile& registers);
  void address48(Work& work, const TaskFile& registers);
  void address_queued(Work& work, const TaskFile& registers);
  void prepare(Work& work, Protocol protocol);
  void set_range(Work& work, u64 first_sector, u64 count);
  void transfer(Work& work, DataPhase data, bool dma);
  void transfer_multiple(Work& work, DataPhase data);
  void identify(Work& work, const TaskFile& registers);
  void read_log(Work& work, const TaskFile& registers);
  void trim(Work& work, const TaskFile& registers);
  void set_features(Work& work, const TaskFile& registers);
  void set_multiple(Work& work, const TaskFile& registers);
  void initialize_parameters(Work& work, const TaskFile& registers);
  void read_native_max(Work& work, const TaskFile& registers);
  void read_native_max_ext(Work& work, const TaskFile& registers);
  void seek(Work& work, const TaskFile& registers);
  void idle(Work& work, const TaskFile& registers);
  void standby(Work& work, const TaskFile& registers);
  void sleep(Work& work, const TaskFile& registers);
  void respond(Work& work);

  // finish()
  void fail(Work& work, BlockStatus status, u64 sector) const;
  void verify(Work& work) const;
  void flush(Work& work) const;
  void trim_ranges(Work& work) const;
  void report_address(const Work& work, TaskFile& registers) const;

  BlockBackend& medium_;
  const std::string serial_;
  const Cable cable_;

  u8 multiple_ = 0;
  u8 transfer_mode_ = kTransferModeDefault;
  u16 heads_ = 0;
  u16 track_sectors_ = 0;
  bool write_cache_ = true;
  bool look_ahead_ = true;
  bool revert_on_soft_reset_ = false;
  QueuedError queued_error_;
  std::vector<u8> buffer_;  // of the command with Action::Buffer or Trim that is under way
};

}  // namespace reprise::devices::ata
