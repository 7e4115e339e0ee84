// One port of an AHCI host bus adapter with the device on it. Serial ATA AHCI 1.3.1, sections 3.3, 4 and 5;
// Serial ATA 2.6 section 10.3 for the FIS layouts. Command lists, tables and received FISes lie in guest
// memory.
//
//     PxCI bit set --> accepted: command header and FIS are read, the device begins
//     block_request_ns(bytes) later --> data moves, a FIS comes back, the bit clears
//
// One command at a time, or up to 32 queued ones, each with its own time. After an error the port waits for
// the driver to clear PxCMD.ST. Missing: port multipliers, FIS-based switching, power management of the link.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "common/ports.h"
#include "devices/ata/scatter_list.h"
#include "devices/ata/unit.h"

namespace reprise::devices::ahci {

class AhciPort {
 public:
  static constexpr unsigned kSlots = 32;
  static constexpr u64 kBytes = 0x80;  // of registers

  // Register offsets. 3.3.
  static constexpr u64 kClb = 0x00, kClbu = 0x04, kFb = 0x08, kFbu = 0x0c, kIs = 0x10, kIe = 0x14,
                       kCmd = 0x18, kTfd = 0x20, kSig = 0x24, kSsts = 0x28, kSctl = 0x2c, kSerr = 0x30,
                       kSact = 0x34, kCi = 0x38;

  /// `unit` may be null: nothing is plugged in. `changed` is called after the interrupt condition may have
  /// changed.
  AhciPort(unsigned index, Clock& clock, DmaPort& dma, std::function<void()> changed,
           std::unique_ptr<ata::Unit> unit);

  u32 read(u64 offset) const;
  void write(u64 offset, u32 value);
  /// An enabled interrupt status bit is set.
  bool wants_interrupt() const { return (read(kIs) & ie_) != 0; }

  /// Power-on, and GHC.HR.
  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  enum class State : u8 { Empty, Waiting, Running };
  struct Slot {
    State state = State::Empty;
    bool queued = false;
    u64 deadline_ns = 0;
    u64 table_phys = 0;
    u32 table_entries = 0;
    ata::Work work;
    ata::TaskFile registers;
  };

  void write_cmd(u32 value);
  void write_sctl(u32 value);
  void link_up();
  void stop();
  void issue();
  bool may_accept(bool queued) const;
  void accept(unsigned index);
  void control(const std::array<u8, 64>& fis);
  void timer_event();
  void arm();
  void complete(unsigned index);
  bool move_data(Slot& slot, u64& moved);
  bool collect(const Slot& slot, ata::ScatterList& list) const;
  void finish(unsigned index);
  void sign();

  void post(u64 offset, std::span<const u8> fis);
  void post_registers(const ata::TaskFile& file, bool interrupt);
  void post_pio_setup(const ata::TaskFile& file, u64 bytes, bool to_host);
  void post_device_bits(const ata::TaskFile& file, u32 completed);
  void set_task_file(const ata::TaskFile& file) { tfd_ = u32{file.status} | u32{file.error} << 8; }
  void fatal(u32 is_bit);
  void interrupt(u32 bits);
  bool started() const;
  bool works() const;

  const unsigned index_;
  Clock& clock_;
  DmaPort& dma_;
  const std::function<void()> changed_;
  const std::unique_ptr<ata::Unit> unit_;
  const Clock::TimerId timer_;

  u64 clb_phys_ = 0;
  u64 fb_phys_ = 0;
  u32 is_ = 0;
  u32 ie_ = 0;
  u32 cmd_ = 0;
  u32 tfd_ = 0;
  u32 sig_ = 0;
  u32 sctl_ = 0;
  u32 serr_ = 0;
  u32 sact_ = 0;
  u32 ci_ = 0;
  u8 current_slot_ = 0;
  bool link_ = false;
  bool halted_ = false;  // an error waits for the driver
  bool soft_resetting_ = false;
  u64 sign_deadline_ns_ = Clock::kNever;  // of the signature after a reset
  std::array<Slot, kSlots> slots_;
};

}  // namespace reprise::devices::ahci
