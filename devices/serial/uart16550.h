// 16550A UART. National Semiconductor PC16550D datasheet (June 1995).
// Differs from hardware:
// - Bytes reach the back end when they are written, so nothing that reached the transmitter is lost when the guest stops.
// - With LineStatus::Immediate (outside loopback) LSR always shows an empty transmitter, so that a guest that polls
//   does not spin for a character time per byte; and the transmitter empties its FIFO right after the instruction that
//   wrote, so that nothing waits in the guest's own buffers: not when it powers off, and not for programs that write to
//   the terminal without blocking. Otherwise it takes the character times of the divisor.
// - Bytes are whole on the line, in and out, however many bits LCR says; it counts in loopback.
// - OUT2 does not gate the interrupt: guests are written that leave it clear, and most models of the PC do not ask.
// - The sender on the host's end is patient. Its characters enter the FIFO one character time apart, never overrun it, and
//   are not lost to a driver that starts: what sets the port up (FIFOs reset or switched, another line format or divisor
//   latch, loopback switched, RESET) gives unread characters of the line back to the sender, who then waits kSetUpNs.
//   So what was typed before a driver starts reaches whoever reads first, however it looks: by interrupt, LSR, or RBR.
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
  static constexpr std::size_t kFifoBytes = 16;
  static constexpr std::size_t kBacklogBytes = 4096;
  /// How long the sender waits when the guest has set the port up. A driver's set-up reads RBR blindly up to a millisecond
  /// after it has reset the FIFOs.
  static constexpr u64 kSetUpNs = 10'000'000;

  Uart16550(std::string name, Clock& clock, IrqLine irq, CharBackend& backend,
            LineStatus line_status = LineStatus::Immediate);

  /// Bytes that receive() takes now.
  std::size_t can_receive() const {
    return backlog_.size() < kBacklogBytes ? kBacklogBytes - backlog_.size() : 0;
  }
  /// Host input; returns how many bytes were taken.
  std::size_t receive(std::span<const u8> bytes);
  /// A break condition from the host side, behind what was received before. Dropped when can_receive() is 0.
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
  std::size_t receive_capacity() const;
  unsigned receive_trigger() const;
  void receive_character(u8 byte, u8 errors);
  void transmit_event();
  void receive_event();
  void timeout_event();
  bool line_ready() const;
  void start_receiving();
  /// The guest sets the port up: see above.
  void set_up();
  void rearm_timeout();

  const std::string name_;
  Clock& clock_;
  IrqLine irq_;
  CharBackend& backend_;
  const LineStatus line_status_mode_;
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
  u8 rbr_ = 0;              // the character last read
  u64 quiet_until_ns_ = 0;  // the sender waits
  Transmitter transmitter_ = Transmitter::Idle;
  u8 shift_register_ = 0;
  ByteFifo<kFifoBytes> transmit_fifo_;
  ByteFifo<kFifoBytes> receive_fifo_;
  // PE, FE, BI of each byte in receive_fifo_; bit 0: it came from the line.
  ByteFifo<kFifoBytes> receive_errors_;
  // Of the sender, with room for what comes back.
  ByteFifo<kBacklogBytes + kFifoBytes> backlog_;
  ByteFifo<kBacklogBytes + kFifoBytes> backlog_errors_;  // of each byte in backlog_
};

}  // namespace reprise::devices
