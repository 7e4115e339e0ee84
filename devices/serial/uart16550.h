// 16550A UART. National Semiconductor PC16550D datasheet (June 1995).
// Differs from hardware:
// - Bytes reach the back end when they are written, so nothing that reached the transmitter is lost when the guest stops.
// - With LineStatus::Immediate (outside loopback) LSR always shows an empty transmitter, so that a guest that polls
//   does not spin for a character time per byte; and the transmitter empties its FIFO right after the instruction that
//   wrote, so that nothing waits in the guest's own buffers: not when it powers off, and not for programs that write to
//   the terminal without blocking. Otherwise it takes the character times of the divisor.
// - Host input waits in a backlog, enters the FIFO one character time apart, and never overruns it.
// - With HostInput::WhenRead it also waits for a guest that reads: one that has enabled the received-data interrupt, or
//   that reads LSR over and over. So input prepared before the guest boots is not lost to the driver's set-up.
// Missing: 16750 autoflow, DMA mode pins.
#pragma once

#include <string>

#include "common/ports.h"
#include "devices/backend.h"
#include "devices/byte_fifo.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes eight ports, byte wide (COM1: 3F8h, IRQ4).
class Uart16550 final : public Device, public PioHandler {
 public:
  enum class LineStatus : u8 { Immediate, CharacterTime };
  enum class HostInput : u8 { AtOnce, WhenRead };
  static constexpr std::size_t kFifoBytes = 16;
  static constexpr std::size_t kBacklogBytes = 4096;

  Uart16550(std::string name, Clock& clock, IrqLine irq, CharBackend& backend,
            LineStatus line_status = LineStatus::Immediate, HostInput host_input = HostInput::AtOnce);

  /// Bytes that receive() takes now.
  std::size_t can_receive() const { return backlog_.free(); }
  /// Host input; returns how many bytes were taken.
  std::size_t receive(std::span<const u8> bytes);
  /// A break condition from the host side, in its turn after nothing: it is seen at once.
  void receive_break();

  std::string_view name() const override { return name_; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  enum class Transmitter : u8 { Idle, Loading, Shifting };

  u8 read_rbr();
  u8 read_iir();
  u8 read_lsr();
  u8 read_msr();
  void write_thr(u8 byte);
  void write_ier(u8 value);
  void write_fcr(u8 value);
  void write_lcr(u8 value);
  void write_mcr(u8 value);

  u8 line_status() const;
  u8 interrupt_id() const;
  u8 modem_inputs() const;
  void update_modem_status();
  void update_irq();

  u64 character_half_bits() const;
  u64 bit_ns() const;
  u64 character_ns() const;
  bool immediate() const;
  bool guest_reads() const;
  std::size_t receive_capacity() const;
  unsigned receive_trigger() const;
  void receive_character(u8 byte, u8 errors);
  void transmit_event();
  void receive_event();
  void timeout_event();
  void start_receiving();
  void rearm_timeout();

  const std::string name_;
  Clock& clock_;
  IrqLine irq_;
  CharBackend& backend_;
  const LineStatus line_status_mode_;
  const HostInput host_input_mode_;
  Clock::TimerId transmit_timer_;
  Clock::TimerId receive_timer_;
  Clock::TimerId timeout_timer_;

  u8 ier_ = 0;
  u8 fcr_ = 0;
  u8 lcr_ = 0;
  u8 mcr_ = 0;
  u8 scr_ = 0;
  u16 divisor_ = 0;
  u8 lsr_errors_ = 0;  // overrun; parity, framing, break of the character on top
  u8 msr_ = 0;
  bool thre_interrupt_ = false;
  bool timeout_interrupt_ = false;
  u8 rbr_ = 0;    // the character last read
  u8 polls_ = 0;  // reads of LSR since the last other access, as far as they matter
  Transmitter transmitter_ = Transmitter::Idle;
  u8 shift_register_ = 0;
  ByteFifo<kFifoBytes> transmit_fifo_;
  ByteFifo<kFifoBytes> receive_fifo_;
  ByteFifo<kFifoBytes> receive_errors_;  // PE, FE, BI of each byte in receive_fifo_
  ByteFifo<kBacklogBytes> backlog_;
};

}  // namespace reprise::devices
