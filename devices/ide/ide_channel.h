// One IDE channel: command block and control block registers, the data port, and the course of one command at
// a time. ATA8-APT (T13/1700-D revision 3); 82371SB datasheet (290550-002).
//
//     Idle -- command --> Busy -- timer --> Data (PIO block) <-> Busy ... --> Idle
//                              \- timer, bus master started --> Idle
//                              \- timer, not started --> WaitingForBusMaster
//
// A missing device 1 is answered for by device 0; a channel without devices floats.
// Missing: transfer timing (IDETIM says what it likes), ATAPI overlap.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "common/ports.h"
#include "devices/ata/unit.h"
#include "devices/ide/bus_master.h"

namespace reprise::devices::ide {

/// As PioHandler it takes the command block: eight ports, the data port up to dword wide.
class IdeChannel final : public PioHandler {
 public:
  static constexpr u32 kCommandPorts = 8;
  static constexpr unsigned kUnits = 2;
  using Units = std::array<std::unique_ptr<ata::Unit>, kUnits>;

  /// `may_master` says whether the PCI function may use the bus.
  IdeChannel(std::string_view name, Clock& clock, IrqLine irq, DmaPort& dma, std::function<bool()> may_master,
             Units units);

  /// Alternate status and device control.
  PioHandler& control_port() { return control_port_; }
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;
  std::size_t pio_read_ahead(u16 offset, Width width, std::span<u8> into) override;
  std::size_t pio_write_ahead(u16 offset, Width width, std::span<const u8> from) override;

  u8 bus_master_read(u16 offset) const { return bus_master_.read(offset); }
  void bus_master_write(u16 offset, u8 value);

  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  enum class Phase : u8 {
    Idle,
    Busy,                 // the timer runs
    WaitingForBusMaster,  // DMA: the device is ready, the engine is not
    Data,                 // DRQ: a block goes through the data port
    Stuck,                // DMA went wrong: only a reset helps
    Resetting,            // SRST, until some time after it was released
  };
  /// What the timer ends.
  enum class Step : u8 { Begin, NextBlock, Finish, Reset };
  class ControlPort final : public PioHandler {
   public:
    explicit ControlPort(IdeChannel& channel) : channel_(channel) {}
    u32 pio_read(u16 offset, Width width) override;
    void pio_write(u16 offset, Width width, u32 value) override;

   private:
    IdeChannel& channel_;
  };

  ata::Unit* unit() const { return units_[selected_].get(); }
  /// Registers as reads see them: those of device 0 for a missing device 1.
  const ata::TaskFile* visible() const;
  ata::TaskFile& registers() { return registers_[active_]; }

  u8 read_register(u16 offset);
  u8 status() const;
  void write_register(u16 offset, u8 value);
  void write_device_control(u8 value);
  void write_command(u8 value);
  void device_reset();
  void sign_units();

  void wait(Step step, u64 ns);
  void timer_event();
  void begin_data();
  void start_packet();
  void next_block_to_host();
  void offer_block(u64 bytes);
  void block_from_host_complete();
  void packet_complete();
  void run_dma();
  void finish();

  u32 read_data(Width width);
  void write_data(Width width, u32 value);
  void block_drained();
  void block_filled();

  bool consistent() const;

  void raise_irq();
  void lower_irq();
  void update_irq();

  Clock& clock_;
  const IrqLine irq_;
  DmaPort& dma_;
  const std::function<bool()> may_master_;
  const Units units_;
  const Clock::TimerId timer_;
  ControlPort control_port_{*this};

  std::array<ata::TaskFile, kUnits> registers_;
  u8 selected_ = 0;
  u8 active_ = 0;  // the unit with the command under way
  u8 device_control_ = 0;
  bool interrupt_pending_ = false;
  bool irq_level_ = false;

  Phase phase_ = Phase::Idle;
  Step step_ = Step::Begin;
  ata::Work work_;
  u64 done_bytes_ = 0;      // of work_.bytes, moved between unit and buffer_
  std::vector<u8> buffer_;  // PIO data between unit and port, several blocks when possible
  u32 position_ = 0;        // in buffer_, of the data port
  u32 block_end_ = 0;       // in buffer_, of the block that DRQ offers
  BusMaster bus_master_;
};

}  // namespace reprise::devices::ide
