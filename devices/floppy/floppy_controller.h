// Floppy disk controller 82077AA in PC/AT mode. Intel 82077AA datasheet (290166-007): 2 (registers), 3-5
// (phases, command set), 6 (status registers).
//
//     Idle --command bytes--> Command --> Execution --(timer per sector)--> Result --result bytes--> Idle
//                                |             |
//                                |             +--(without DMA)--> HostTransfer of a sector through 3F5h
//                                +--> Idle (SEEK and RECALIBRATE go on in the drive;
//                                           SENSE INTERRUPT STATUS tells)
//
// A sector takes block_request_ns(512) of virtual time, a head movement kSeekNs.
// Missing: SCAN commands and FORMAT AND WRITE (invalid commands here), sector sizes other than 512 bytes (no
// such sector is found), deleted data marks (WRITE DELETED DATA leaves an ordinary sector), overrun of a slow
// processor, power-down, the tape drive register's effect, status registers A and B (PC/AT mode has none),
// head load and unload times.
#pragma once

#include <array>
#include <span>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/dma/isa_dma.h"
#include "devices/floppy/floppy_drive.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

class FloppyController final : public Device {
 public:
  static constexpr unsigned kDrives = 2;
  static constexpr unsigned kSelects = 4;
  static constexpr u64 kSeekNs = 500'000;
  static constexpr u64 kResetNs = 100'000;
  static constexpr u64 kReadIdNs = 100'000;

  FloppyController(Clock& clock, IrqLine irq6, IsaDmaChannel channel2,
                   std::array<FloppyDrive, kDrives> drives);

  /// 3F0h-3F5h and 3F7h, byte wide. 3F6h is the IDE controller's.
  PioHandler& ports() { return ports_; }
  PioHandler& port7() { return port7_; }

  const FloppyDrive& drive(unsigned index) const { return drives_.at(index); }
  /// Puts a disk into a present drive, or takes it out.
  void insert(unsigned drive, BlockBackend* medium) { insert(drive, medium, floppy_geometry(medium)); }
  void insert(unsigned drive, BlockBackend* medium, std::optional<FloppyGeometry> geometry) {
    drives_.at(drive).insert(medium, geometry);
  }

  std::string_view name() const override { return "floppy"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  enum class Phase : u8 { Idle, Command, Execution, HostTransfer, Result };
  /// A command byte that, under `mask`, is `value`, and what follows.
  struct Command {
    u8 mask;
    u8 value;
    u8 bytes;  // with the command byte
    void (FloppyController::*start)();
  };
  static const Command kCommands[];
  static const Command* find(u8 command_byte);

  // Registers
  u32 read_port(u16 offset, Width width);
  void write_port(u16 offset, Width width, u32 value);
  u32 read_port7(u16 offset, Width width);
  void write_port7(u16 offset, Width width, u32 value);
  u8 main_status() const;
  void write_dor(u8 value);
  void write_dsr(u8 value);
  u8 read_fifo();
  void write_fifo(u8 value);

  // Reset
  bool in_reset() const { return !(dor_ & 0x04); }
  void enter_reset();
  void leave_reset();
  void finish_reset();

  // Phases
  void result(std::initializer_list<u8> bytes);
  void invalid_command() { result({0x80}); }
  void raise_interrupt();
  void drop_interrupt();
  bool seek_ended() const;
  void update_irq();

  // Commands without execution phase
  void specify();
  void sense_drive_status();
  void sense_interrupt_status();
  void version() { result({0x90}); }
  void configure();
  void perpendicular_mode();
  void dump_registers();
  void lock();

  // Head movement
  void recalibrate();
  void seek();
  void relative_seek();
  void start_seek(unsigned select, u8 track);
  void finish_seek(unsigned select);

  // Commands that touch the disk
  void start_disk_command();
  void step();  // the timer's: one sector, or the end
  void step_read_id();
  void step_read();
  void step_write();
  void step_format();
  void step_verify();
  /// True when the selected disk can be read at all and its head is where the command wants it; else the
  /// command has ended.
  bool find_track();
  /// True when the sector is there; else the command has ended.
  bool find_sector();
  /// On to the sector after this one. `terminal_count`: there are no more.
  void next_sector(bool terminal_count);
  /// True when the command's sectors are over.
  bool advance_id();
  /// The bytes of a sector (or of an id to format) from the processor or memory into the buffer. False when
  /// they are not there: they are yet to come, or the command has ended. `terminal_count`: they are the last.
  bool fetch(u16 bytes, bool& terminal_count);
  /// The processor is to move `bytes` of the buffer.
  void begin_host_transfer(u16 bytes);
  void host_transfer_done();
  void arm_step() { clock_.arm(step_timer_, clock_.now_ns() + block_request_ns(BlockBackend::kSectorBytes)); }
  void end_disk_command(u8 st0, u8 st1, u8 st2);
  void end_with_disk_error(BlockStatus status);

  u8 opcode() const { return command_[0] & 0x1f; }
  bool multi_track() const { return (command_[0] & 0x80) != 0; }
  bool without_dma() const { return (specify_[1] & 0x01) != 0; }
  bool is_write() const;
  bool is_deleted_read() const { return opcode() == 0x0c; }
  bool skip_deleted() const { return (command_[0] & 0x20) != 0; }
  unsigned selected() const { return command_[1] & 3; }
  u8 selected_head() const { return command_[1] >> 2 & 1; }
  /// A drive that is not there for the two selects without connector.
  FloppyDrive& drive_at(unsigned select) { return select < kDrives ? drives_[select] : no_drive_; }

  Clock& clock_;
  IrqLine irq_;
  IsaDmaChannel dma_;
  std::array<FloppyDrive, kDrives> drives_;
  FloppyDrive no_drive_;
  PioPorts<FloppyController> ports_;
  PioPorts<FloppyController> port7_;
  Clock::TimerId reset_timer_;
  Clock::TimerId step_timer_;
  std::array<Clock::TimerId, kSelects> seek_timers_;

  u8 dor_ = 0;
  u8 tdr_ = 0;
  u8 rate_ = 2;
  Phase phase_ = Phase::Idle;
  /// Of a reset or a command; seeks that ended interrupt until SENSE INTERRUPT STATUS.
  bool interrupt_ = false;

  std::array<u8, 9> command_{};
  u8 command_bytes_ = 0;
  std::array<u8, 10> result_{};
  u8 result_bytes_ = 0;
  u8 result_position_ = 0;

  // Set by commands
  std::array<u8, 2> specify_{};
  std::array<u8, 3> configure_{0, 0x20, 0};
  u8 perpendicular_ = 0;
  bool locked_ = false;
  u8 last_sector_ = 0;  // EOT or SC of the last command that had one: DUMPREG

  // Head movement
  std::array<bool, kSelects> seeking_{};
  std::array<u8, kSelects> seek_target_{};
  std::array<bool, kSelects> seek_ended_{};  // SENSE INTERRUPT STATUS has not told yet
  std::array<u8, kSelects> seek_status_{};
  u8 reset_senses_left_ = 0;

  // The command in execution: the sector it is at, as the result phase will tell it
  u8 id_track_ = 0;
  u8 id_head_ = 0;
  u8 id_sector_ = 0;
  u8 id_size_ = 0;
  u8 sectors_done_ = 0;  // FORMAT, VERIFY
  u8 st2_ = 0;
  std::array<u8, 512> buffer_{};
  u16 buffer_position_ = 0;
  u16 buffer_end_ = 0;  // of a transfer by the processor
};

}  // namespace reprise::devices
