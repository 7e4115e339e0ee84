// Unit: an ATA or ATAPI device without its cable. The parallel (ide/) and serial (ahci/) controllers give it
// commands, move its data and keep its time; it knows nothing of ports, DMA tables, interrupts or clocks.
//
//     work = unit.begin(command, registers)          accepts or refuses; never touches the host's files
//     ... the controller lets block_request_ns(work.bytes) pass ...
//     unit.read(work, offset, bytes) / unit.write()  data, in order, in whole sectors
//     unit.finish(work, registers)                   the rest of the work; status, error, address registers
//
// Work is plain data: several queued commands may be under way, and all of it is saved with the machine.
#pragma once

#include <span>
#include <vector>

#include "devices/ata/task_file.h"

namespace reprise::devices::ata {

enum class DataPhase : u8 {
  None,
  ToHost,
  FromHost,
  Packet,  // the controller collects the command packet and calls begin_packet()
};

/// What finish(), read() and write() do.
enum class Action : u8 { Nothing, Medium, Buffer, Verify, Flush, Trim };

/// One accepted or refused command. A refused one has no data, and `error` is set.
struct Work {
  Command command = Command::Nop;
  DataPhase data = DataPhase::None;
  Action action = Action::Nothing;
  bool dma = false;
  bool packet = false;    // a packet command: ends with an interrupt reason
  bool extended = false;  // reports a 48-bit address
  bool durable = false;   // flush before it completes
  bool silent = false;    // completes without a status: the device is reset or asleep
  u8 error = 0;           // error register; 0: no error
  u8 failed_status = 0;   // further status bits of a failure
  u8 tag = 0;             // queued commands
  u64 first_byte = 0;     // on the medium
  u64 bytes = 0;          // of data, or to verify
  u32 block_bytes = 0;    // of one PIO block
  u64 failed_sector = 0;  // with `error` on the medium
  bool has_failed_sector = false;

  void fail(u8 error_register) { error = error_register; }
  void serialize(Archive& archive);
};

/// PIO blocks and chunks of DMA are at most this long.
inline constexpr u32 kMaxBlockBytes = 65536;
inline constexpr std::size_t kPacketBytes = 12;
/// No command asks for more: 32 bits of blocks of 2 KiB.
inline constexpr u64 kMaxWorkBytes = u64{1} << 43;

enum class Power : u8 { Active, Idle, Standby, Sleep };

class Unit {
 public:
  virtual ~Unit() = default;

  /// Power-on and hardware reset, COMRESET.
  virtual void reset() = 0;
  /// Software reset and DEVICE RESET: keeps what SET FEATURES says it keeps.
  virtual void soft_reset() = 0;
  /// Puts the device's signature into the registers, as after a reset.
  virtual void sign(TaskFile& registers) const = 0;
  virtual bool is_packet_device() const = 0;
  /// Asleep: takes no commands until a reset.
  bool asleep() const { return power_ == Power::Sleep; }

  /// The registers are the command's operands; some commands answer in them. At most kMaxBlockBytes of
  /// Action::Buffer data; any amount of Action::Medium data, in sectors.
  virtual Work begin(Command command, TaskFile& registers) = 0;
  /// The work of a packet command, after Work with DataPhase::Packet. `work.dma` as the PACKET command said.
  virtual Work begin_packet(std::span<const u8, kPacketBytes> packet, bool dma) = 0;

  /// Data from byte `offset` of the work on. Returns how many bytes are good; fewer than asked for set the
  /// work's error. `offset` and size are multiples of the sector size, or end at work.bytes.
  virtual u64 read(Work& work, u64 offset, std::span<u8> into) = 0;
  virtual u64 write(Work& work, u64 offset, std::span<const u8> from) = 0;
  /// Does what is left and sets status (without BSY and DRQ), error and result registers.
  virtual void finish(Work& work, TaskFile& registers) = 0;

  virtual void serialize(Archive& archive) = 0;
  virtual std::string debug_dump() const = 0;

 protected:
  /// What CHECK POWER MODE answers in the count register. ATA8-ACS 7.8.
  u8 power_mode() const;

  Power power_ = Power::Active;
};

}  // namespace reprise::devices::ata
