// The PC's pair of 8259A interrupt controllers, slave on IR2 of the master, with the edge/level registers of PIIX.
// Intel 8259A datasheet (231468-003); 82371SB (PIIX3) datasheet 4.3 for ELCR.
// A request whose line drops before INTA is withdrawn, edge or level; INT stays, and INTA gets the "default IR7" of the
// datasheet ("Edge and Level Triggered Modes"): IRQ7 or 15 with nothing in service.
// INT stands no longer when a real request is there instead.
// Differs from hardware: INT does fall when the request, or the withdrawn one, is masked or outranked by what comes into
// service.
// Missing: 8080 mode, buffered mode, cascades beyond one slave.
#pragma once

#include "common/ports.h"
#include "devices/device.h"
#include "devices/irq/apic.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

/// One 8259A. Knows its eight inputs and its INT output, nothing of the other chip.
class Pic8259 {
 public:
  enum class Role : u8 { Master, Slave };
  Pic8259(Role role, u8 elcr_mask) : role_(role), elcr_mask_(elcr_mask) {}

  void set_input(unsigned input, bool level);
  /// The input falls, and its request is forgotten as if it had been masked.
  void drop_input(unsigned input);
  /// INT.
  bool output() const { return winner() != kNone || (withdrawn_ & ~imr_) != 0; }
  /// First INTA: the input that won, or 7 without any state change when no request is left (spurious).
  unsigned acknowledge();
  u8 vector(unsigned input) const { return static_cast<u8>(vector_base_ | input); }

  /// A0 is 0 at the lower port.
  u8 read(unsigned a0);
  void write(unsigned a0, u8 value);
  u8 elcr() const { return elcr_; }
  void set_elcr(u8 value);

  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  /// Which initialization word the upper port takes next.
  enum class Expect : u8 { Ocw1, Icw2, Icw3, Icw4 };
  static constexpr unsigned kNone = 8;

  void write_icw1(u8 value);
  void write_ocw2(u8 value);
  void write_ocw3(u8 value);
  /// Rank 0 (highest) to 7 of the first request in `inputs`, or kNone.
  unsigned best_rank(u8 inputs) const;
  unsigned input_of_rank(unsigned rank) const { return (rank + first_input_) & 7; }
  /// The input INT is asserted for, or kNone.
  unsigned winner() const;
  void end_of_interrupt(unsigned input, bool rotate);

  Role role_;
  u8 elcr_mask_;
  u8 lines_ = 0;
  u8 irr_ = 0;
  u8 withdrawn_ = 0;  // inputs for which INT stands, although their request is gone
  u8 isr_ = 0;
  u8 imr_ = 0;
  u8 elcr_ = 0;
  u8 vector_base_ = 0;
  u8 first_input_ = 0;  // the input of highest priority
  Expect expect_ = Expect::Ocw1;
  bool icw4_needed_ = false;
  bool single_ = false;
  bool auto_eoi_ = false;
  bool rotate_on_auto_eoi_ = false;
  bool special_fully_nested_ = false;
  bool special_mask_ = false;
  bool read_isr_ = false;
  bool poll_ = false;
};

/// The pair. As IrqSink it takes ISA lines 0 to 15 (line 2 is the cascade and ignored).
class Pic8259Pair final : public Device, public IrqSink, public ExtIntSource {
 public:
  /// `intr` is the INTR wire to LINT0 of the bootstrap processor.
  explicit Pic8259Pair(IrqLine intr);

  /// 20h-21h, A0h-A1h and 4D0h-4D1h, byte wide.
  PioHandler& master_ports() { return master_ports_; }
  PioHandler& slave_ports() { return slave_ports_; }
  PioHandler& elcr_ports() { return elcr_ports_; }

  std::string_view name() const override { return "pic8259"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  void set_irq(unsigned line, bool level) override;
  u8 acknowledge_ext_int() override;

 private:
  static constexpr unsigned kCascadeInput = 2;

  u32 read_master(u16 offset, Width width);
  void write_master(u16 offset, Width width, u32 value);
  u32 read_slave(u16 offset, Width width);
  void write_slave(u16 offset, Width width, u32 value);
  u32 read_elcr(u16 offset, Width width);
  void write_elcr(u16 offset, Width width, u32 value);
  void update_irq();

  IrqLine intr_;
  Pic8259 master_;
  Pic8259 slave_;
  PioPorts<Pic8259Pair> master_ports_;
  PioPorts<Pic8259Pair> slave_ports_;
  PioPorts<Pic8259Pair> elcr_ports_;
};

}  // namespace reprise::devices
