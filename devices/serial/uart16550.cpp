#include "devices/serial/uart16550.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Register offsets, datasheet table II.
constexpr u16 kData = 0;  // RBR, THR; DLL with DLAB
constexpr u16 kIer = 1;   // DLM with DLAB
constexpr u16 kIirFcr = 2;
constexpr u16 kLcr = 3;
constexpr u16 kMcr = 4;
constexpr u16 kLsr = 5;
constexpr u16 kMsr = 6;
constexpr u16 kScr = 7;

// IER, 8.7.
constexpr u8 kIerReceived = 0x01;
constexpr u8 kIerTransmitEmpty = 0x02;
constexpr u8 kIerLineStatus = 0x04;
constexpr u8 kIerModemStatus = 0x08;

// IIR, 8.6, table IV.
constexpr u8 kIirModemStatus = 0x00;
constexpr u8 kIirNone = 0x01;
constexpr u8 kIirTransmitEmpty = 0x02;
constexpr u8 kIirReceived = 0x04;
constexpr u8 kIirLineStatus = 0x06;
constexpr u8 kIirTimeout = 0x0c;
constexpr u8 kIirFifosEnabled = 0xc0;

// FCR, 8.5.
constexpr u8 kFcrEnable = 0x01;
constexpr u8 kFcrClearReceive = 0x02;
constexpr u8 kFcrClearTransmit = 0x04;

// LCR, 8.1.
constexpr u8 kLcrTwoStopBits = 0x04;
constexpr u8 kLcrParity = 0x08;
constexpr u8 kLcrBreak = 0x40;
constexpr u8 kLcrDlab = 0x80;

// MCR, 8.8.
constexpr u8 kMcrDtr = 0x01;
constexpr u8 kMcrRts = 0x02;
constexpr u8 kMcrOut1 = 0x04;
constexpr u8 kMcrOut2 = 0x08;
constexpr u8 kMcrLoop = 0x10;
constexpr u8 kMcrWritable = 0x1f;

// LSR, 8.4.
constexpr u8 kLsrDataReady = 0x01;
constexpr u8 kLsrOverrun = 0x02;
constexpr u8 kLsrParity = 0x04;
constexpr u8 kLsrFraming = 0x08;
constexpr u8 kLsrBreak = 0x10;
constexpr u8 kLsrThre = 0x20;
constexpr u8 kLsrTemt = 0x40;
constexpr u8 kLsrFifoError = 0x80;
constexpr u8 kLsrCharacterErrors = kLsrParity | kLsrFraming | kLsrBreak;
constexpr u8 kLsrErrors = kLsrOverrun | kLsrCharacterErrors;

// MSR, 8.9.
constexpr u8 kMsrDeltaCts = 0x01;
constexpr u8 kMsrDeltaDsr = 0x02;
constexpr u8 kMsrTrailingRi = 0x04;
constexpr u8 kMsrDeltaDcd = 0x08;
constexpr u8 kMsrCts = 0x10;
constexpr u8 kMsrDsr = 0x20;
constexpr u8 kMsrRi = 0x40;
constexpr u8 kMsrDcd = 0x80;
constexpr u8 kMsrDeltas = 0x0f;

// The PC feeds 1.8432 MHz; a bit takes 16 clocks times the divisor.
constexpr u64 kClockHz = 1'843'200;
constexpr u16 kResetDivisor = 12;  // 9600 baud
constexpr u64 kTimeoutCharacters = 4;

/// In receive_errors_.
constexpr u8 kFromLine = 0x01;

}  // namespace

Uart16550::Uart16550(std::string name, Clock& clock, IrqLine irq, CharBackend& backend,
                     LineStatus line_status)
    : name_(std::move(name)),
      clock_(clock),
      irq_(irq),
      backend_(backend),
      line_status_mode_(line_status),
      transmit_timer_(clock.create_timer("uart-transmit", [this] { transmit_event(); })),
      receive_timer_(clock.create_timer("uart-receive", [this] { receive_event(); })),
      timeout_timer_(clock.create_timer("uart-timeout", [this] { timeout_event(); })) {
  reset(ResetKind::PowerOn);
}

// Datasheet table I, "Register Reset". Undefined there: divisor and scratch.
void Uart16550::reset(ResetKind kind) {
  set_up();
  ier_ = fcr_ = lcr_ = mcr_ = 0;
  scr_ = 0;
  divisor_ = kResetDivisor;
  lsr_errors_ = 0;
  thre_interrupt_ = timeout_interrupt_ = false;
  rbr_ = 0;
  transmitter_ = Transmitter::Idle;
  shift_register_ = 0;
  transmit_fifo_.clear();
  receive_fifo_.clear();
  receive_errors_.clear();
  if (kind == ResetKind::PowerOn) {
    backlog_.clear();
    backlog_errors_.clear();
  }
  msr_ = modem_inputs();
  clock_.cancel(transmit_timer_);
  clock_.cancel(receive_timer_);
  clock_.cancel(timeout_timer_);
  start_receiving();
  update_irq();
}

// In half bits, because five data bits go with one and a half stop bits.
u64 Uart16550::character_half_bits() const {
  const unsigned data_bits = 5 + (lcr_ & 3);
  unsigned half_bits = 2 * (1 + data_bits + 1);
  if (lcr_ & kLcrParity) half_bits += 2;
  if (lcr_ & kLcrTwoStopBits) half_bits += data_bits == 5 ? 1 : 2;
  return half_bits;
}

// Undefined: a divisor of 0 counts as 65536.
u64 Uart16550::bit_ns() const { return clocks_to_ns(16 * u64{divisor_ ? divisor_ : 65536u}, kClockHz); }
u64 Uart16550::character_ns() const {
  return clocks_to_ns(8 * character_half_bits() * (divisor_ ? divisor_ : 65536u), kClockHz);
}

bool Uart16550::immediate() const { return line_status_mode_ == LineStatus::Immediate && !(mcr_ & kMcrLoop); }

u32 Uart16550::pio_read(u16 offset, Width) {
  const bool dlab = (lcr_ & kLcrDlab) != 0;
  switch (offset & 7) {
    case kData: return dlab ? divisor_ & 0xff : read_rbr();
    case kIer: return dlab ? divisor_ >> 8 : ier_;
    case kIirFcr: return read_iir();
    case kLcr: return lcr_;
    case kMcr: return mcr_;
    case kLsr: return read_lsr();
    case kMsr: return read_msr();
    default: return scr_;
  }
}

void Uart16550::pio_write(u16 offset, Width, u32 value) {
  const bool dlab = (lcr_ & kLcrDlab) != 0;
  const u8 byte = static_cast<u8>(value);
  switch (offset & 7) {
    case kData:
      if (dlab)
        divisor_ = static_cast<u16>((divisor_ & 0xff00) | byte);
      else
        write_thr(byte);
      break;
    case kIer:
      if (dlab)
        divisor_ = static_cast<u16>((divisor_ & 0xff) | byte << 8);
      else
        write_ier(byte);
      break;
    case kIirFcr: write_fcr(byte); break;
    case kLcr: write_lcr(byte); break;
    case kMcr: write_mcr(byte); break;
    case kScr: scr_ = byte; break;
    default: break;  // LSR and MSR are read-only outside factory tests
  }
}

std::size_t Uart16550::receive_capacity() const { return fcr_ & kFcrEnable ? kFifoBytes : 1; }

unsigned Uart16550::receive_trigger() const {
  static constexpr u8 kTriggers[] = {1, 4, 8, 14};
  return fcr_ & kFcrEnable ? kTriggers[fcr_ >> 6] : 1;
}

u8 Uart16550::line_status() const {
  u8 lsr = lsr_errors_;
  if (!receive_fifo_.empty()) lsr |= kLsrDataReady;
  if (immediate() || transmit_fifo_.empty()) {
    lsr |= kLsrThre;
    if (immediate() || transmitter_ == Transmitter::Idle) lsr |= kLsrTemt;
  }
  if (fcr_ & kFcrEnable) {
    ByteFifo<kFifoBytes> errors = receive_errors_;
    u8 any = 0;
    while (!errors.empty()) any |= errors.pop();
    if (any & kLsrCharacterErrors) lsr |= kLsrFifoError;
  }
  return lsr;
}

u8 Uart16550::interrupt_id() const {
  if ((ier_ & kIerLineStatus) && (lsr_errors_ & kLsrErrors)) return kIirLineStatus;
  if (ier_ & kIerReceived) {
    if (receive_fifo_.size() >= receive_trigger()) return kIirReceived;
    if (timeout_interrupt_) return kIirTimeout;
  }
  if ((ier_ & kIerTransmitEmpty) && thre_interrupt_) return kIirTransmitEmpty;
  if ((ier_ & kIerModemStatus) && (msr_ & kMsrDeltas)) return kIirModemStatus;
  return kIirNone;
}

// Differs from hardware: on the PC, OUT2 gates the interrupt pin onto the bus, and loopback switches it off.
void Uart16550::update_irq() { irq_.set(interrupt_id() != kIirNone); }

u8 Uart16550::read_iir() {
  const u8 id = interrupt_id();
  if (id == kIirTransmitEmpty) {
    thre_interrupt_ = false;
    update_irq();
  }
  return fcr_ & kFcrEnable ? id | kIirFifosEnabled : id;
}

u8 Uart16550::read_lsr() {
  const u8 value = line_status();
  lsr_errors_ = 0;
  update_irq();
  return value;
}

u8 Uart16550::read_msr() {
  const u8 value = msr_;
  msr_ &= static_cast<u8>(~kMsrDeltas);
  update_irq();
  return value;
}

// The host end of the line is always there and ready.
u8 Uart16550::modem_inputs() const {
  if (!(mcr_ & kMcrLoop)) return kMsrCts | kMsrDsr | kMsrDcd;
  return static_cast<u8>((mcr_ & kMcrRts ? kMsrCts : 0) | (mcr_ & kMcrDtr ? kMsrDsr : 0) |
                         (mcr_ & kMcrOut1 ? kMsrRi : 0) | (mcr_ & kMcrOut2 ? kMsrDcd : 0));
}

void Uart16550::update_modem_status() {
  const u8 inputs = modem_inputs();
  const u8 changed = inputs ^ (msr_ & static_cast<u8>(~kMsrDeltas));
  u8 deltas = msr_ & kMsrDeltas;
  if (changed & kMsrCts) deltas |= kMsrDeltaCts;
  if (changed & kMsrDsr) deltas |= kMsrDeltaDsr;
  if (changed & kMsrDcd) deltas |= kMsrDeltaDcd;
  if ((changed & kMsrRi) && !(inputs & kMsrRi)) deltas |= kMsrTrailingRi;
  msr_ = inputs | deltas;
}

void Uart16550::write_mcr(u8 value) {
  const bool switches_loop = ((value ^ mcr_) & kMcrLoop) != 0;
  mcr_ = value & kMcrWritable;
  update_modem_status();
  if (switches_loop) set_up();
  start_receiving();
  update_irq();
}

void Uart16550::write_ier(u8 value) {
  const u8 old = ier_;
  ier_ = value & 0x0f;
  // Enabling the interrupt with the transmitter already empty raises it (8.7; what drivers probe for).
  if ((ier_ & ~old & kIerTransmitEmpty) && (line_status() & kLsrThre)) thre_interrupt_ = true;
  start_receiving();
  update_irq();
}

void Uart16550::write_fcr(u8 value) {
  const bool toggled = ((value ^ fcr_) & kFcrEnable) != 0;
  const bool enabled = (value & kFcrEnable) != 0;
  if (toggled || (enabled && (value & kFcrClearReceive))) {
    set_up();
    receive_fifo_.clear();
    receive_errors_.clear();
    timeout_interrupt_ = false;
    clock_.cancel(timeout_timer_);
  }
  if (toggled || (enabled && (value & kFcrClearTransmit))) {
    if (!transmit_fifo_.empty()) thre_interrupt_ = true;
    transmit_fifo_.clear();
    if (transmitter_ == Transmitter::Loading) {
      transmitter_ = Transmitter::Idle;
      clock_.cancel(transmit_timer_);
    }
  }
  fcr_ = enabled ? value & (kFcrEnable | 0xc8) : 0;  // the other bits only count with bit 0 set (8.5)
  start_receiving();
  update_irq();
}

void Uart16550::write_lcr(u8 value) {
  const bool break_begins = (value & ~lcr_ & kLcrBreak) != 0;
  const bool changes = ((value ^ lcr_) & ~kLcrBreak) != 0;
  lcr_ = value;
  if (changes) set_up();
  if (break_begins && (mcr_ & kMcrLoop)) receive_character(0, kLsrBreak | kLsrFraming);
}

void Uart16550::write_thr(u8 byte) {
  if (!(mcr_ & kMcrLoop)) backend_.write({&byte, 1});
  thre_interrupt_ = false;
  const std::size_t capacity = fcr_ & kFcrEnable ? kFifoBytes : 1;
  if (transmit_fifo_.size() < capacity) transmit_fifo_.push(byte);
  if (transmitter_ == Transmitter::Idle) {
    transmitter_ = Transmitter::Loading;
    clock_.arm(transmit_timer_, clock_.now_ns() + (immediate() ? 0 : bit_ns()));
  }
  update_irq();
}

void Uart16550::transmit_event() {
  if (transmitter_ == Transmitter::Shifting && (mcr_ & kMcrLoop)) receive_character(shift_register_, 0);
  if (immediate() && !transmit_fifo_.empty()) {
    transmit_fifo_.clear();
    thre_interrupt_ = true;
  }
  if (transmit_fifo_.empty()) {
    transmitter_ = Transmitter::Idle;
    return update_irq();
  }
  shift_register_ = transmit_fifo_.pop();
  transmitter_ = Transmitter::Shifting;
  clock_.arm(transmit_timer_, clock_.now_ns() + character_ns());
  if (transmit_fifo_.empty()) thre_interrupt_ = true;
  update_irq();
}

void Uart16550::receive_character(u8 byte, u8 errors) {
  const u8 data_mask = errors & kFromLine ? u8{0xff} : static_cast<u8>(0xff >> (3 - (lcr_ & 3)));
  if (receive_fifo_.size() >= receive_capacity()) {
    lsr_errors_ |= kLsrOverrun;
    if (!(fcr_ & kFcrEnable)) {  // without FIFOs the new character replaces the old
      receive_fifo_.clear();
      receive_errors_.clear();
    }
  }
  if (receive_fifo_.size() < receive_capacity()) {
    if (receive_fifo_.empty()) lsr_errors_ |= errors & kLsrCharacterErrors;
    receive_fifo_.push(byte & data_mask);
    receive_errors_.push(errors);
  }
  timeout_interrupt_ = false;
  rearm_timeout();
  update_irq();
}

u8 Uart16550::read_rbr() {
  if (receive_fifo_.empty()) return rbr_;
  rbr_ = receive_fifo_.pop();
  receive_errors_.pop();
  if (!receive_fifo_.empty()) lsr_errors_ |= static_cast<u8>(receive_errors_.front() & kLsrCharacterErrors);
  timeout_interrupt_ = false;
  rearm_timeout();
  start_receiving();
  update_irq();
  return rbr_;
}

// Datasheet 8.5 "FIFO Interrupt Mode Operation": four character times without a character in or out.
void Uart16550::rearm_timeout() {
  if ((fcr_ & kFcrEnable) && !receive_fifo_.empty())
    clock_.arm(timeout_timer_, clock_.now_ns() + kTimeoutCharacters * character_ns());
  else
    clock_.cancel(timeout_timer_);
}

void Uart16550::timeout_event() {
  timeout_interrupt_ = true;
  update_irq();
}

std::size_t Uart16550::receive(std::span<const u8> bytes) {
  std::size_t taken = 0;
  for (; taken < bytes.size() && can_receive() != 0; ++taken) {
    backlog_.push(bytes[taken]);
    backlog_errors_.push(0);
  }
  start_receiving();
  return taken;
}

void Uart16550::receive_break() {
  if (can_receive() == 0) return;
  backlog_.push(0);
  backlog_errors_.push(kLsrBreak | kLsrFraming);
  start_receiving();
}

// The line is held off in loopback and while the FIFO has no room.
bool Uart16550::line_ready() const {
  return !backlog_.empty() && !(mcr_ & kMcrLoop) && receive_fifo_.size() < receive_capacity();
}

void Uart16550::start_receiving() {
  if (!line_ready() || clock_.deadline_ns(receive_timer_) != Clock::kNever) return;
  clock_.arm(receive_timer_, std::max(clock_.now_ns(), quiet_until_ns_) + character_ns());
}

void Uart16550::receive_event() {
  if (line_ready()) receive_character(backlog_.pop(), kFromLine | backlog_errors_.pop());
  start_receiving();
}

void Uart16550::set_up() {
  // What the guest sent itself in loopback stays; it is older than all that comes from the line.
  while (receive_errors_.back() & kFromLine) {
    backlog_.push_front(receive_fifo_.pop_back());
    backlog_errors_.push_front(receive_errors_.pop_back() & kLsrCharacterErrors);
    if (receive_fifo_.empty()) {
      lsr_errors_ &= kLsrOverrun;
      timeout_interrupt_ = false;
    }
  }
  quiet_until_ns_ = clock_.now_ns() + kSetUpNs;
  clock_.cancel(receive_timer_);
  rearm_timeout();
  start_receiving();
  update_irq();
}

void Uart16550::serialize(Archive& archive) {
  archive.tag("uart16550");
  archive.value(ier_);
  archive.value(fcr_);
  archive.value(lcr_);
  archive.value(mcr_);
  archive.value(scr_);
  archive.value(divisor_);
  archive.value(lsr_errors_);
  archive.value(msr_);
  archive.value(thre_interrupt_);
  archive.value(timeout_interrupt_);
  archive.value(rbr_);
  archive.value(quiet_until_ns_);
  archive.at_most(transmitter_, Transmitter::Shifting);
  archive.value(shift_register_);
  transmit_fifo_.serialize(archive);
  receive_fifo_.serialize(archive);
  receive_errors_.serialize(archive);
  backlog_.serialize(archive);
  backlog_errors_.serialize(archive);
  serialize_timer(archive, clock_, transmit_timer_);
  serialize_timer(archive, clock_, receive_timer_);
  serialize_timer(archive, clock_, timeout_timer_);
}

std::string Uart16550::debug_dump() const {
  return fmt::format(
      "ier={:02x} iir={:02x} fcr={:02x} lcr={:02x} mcr={:02x} lsr={:02x} msr={:02x} divisor={} "
      "tx={} rx={} backlog={}\n",
      ier_, interrupt_id(), fcr_, lcr_, mcr_, line_status(), msr_, divisor_, transmit_fifo_.size(),
      receive_fifo_.size(), backlog_.size());
}

}  // namespace reprise::devices
