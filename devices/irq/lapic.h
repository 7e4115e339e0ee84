// Local APIC: xAPIC register page and x2APIC MSRs over one register core. SDM 3A chapter 10 (Advanced Programmable
// Interrupt Controller), 10.12 for x2APIC. Behaves as a recent core: six LVT entries, version 14h, suppressible EOI
// broadcast. Missing: remote read, CMCI, a source for the thermal entry.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/irq/apic.h"
#include "devices/irq/lapic_timer.h"

namespace reprise::devices {

struct LapicConfig {
  u32 apic_id = 0;
  bool bootstrap = true;
  unsigned phys_bits = 40;  // MAXPHYADDR, for the reserved bits of IA32_APIC_BASE
};

/// One processor's local APIC. As MmioHandler it is the 4 KiB register page, which the machine maps at
/// `base_phys()` while `mmio_enabled()` (ApicCpu::apic_base_changed tells). As IrqSink it takes LINT0 (line 0, wired
/// to INTR of the 8259 pair) and LINT1 (line 1, wired to NMI).
class Lapic final : public Device, public MmioHandler, public IrqSink, public InterruptSource {
 public:
  static constexpr u64 kDefaultBasePhys = 0xfee0'0000;
  static constexpr u32 kMsrApicBase = 0x1b;
  static constexpr u32 kMsrTscDeadline = 0x6e0;
  static constexpr u32 kMsrX2ApicFirst = 0x800;
  static constexpr u32 kMsrX2ApicLast = 0x83f;

  Lapic(LapicConfig config, Clock& clock, ApicFabric& fabric, ApicCpu& cpu, ExtIntSource& pic);

  std::string_view name() const override { return "lapic"; }
  void reset(ResetKind kind) override;
  /// What INIT does (SDM 3A 10.4.7.3): registers as after reset, APIC id and IA32_APIC_BASE kept. To be called when the
  /// core takes the INIT that ApicCpu::init() told it of.
  void init_reset();
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;
  void set_irq(unsigned line, bool level) override;

  bool interrupt_pending() const override { return interrupt_pending_; }
  u8 acknowledge_interrupt() override;
  u8 cr8() const override { return tpr_ >> 4; }
  void set_cr8(u8 value) override;

  /// The core's performance counters ask for their interrupt, which masks its entry. SDM 3A 10.5.1
  void performance_interrupt();

  /// IA32_APIC_BASE, IA32_TSC_DEADLINE and 800h-83Fh. False asks for #GP(0).
  bool msr_read(u32 msr, u64& value);
  bool msr_write(u32 msr, u64 value);

  u32 apic_id() const { return config_.apic_id; }
  u64 base_phys() const;
  bool enabled() const;
  bool x2apic() const;
  bool mmio_enabled() const { return enabled() && !x2apic(); }

  /// Does `message` name this LAPIC? SDM 3A 10.6.2.
  bool matches(const ApicMessage& message) const;
  /// Takes a message that matched.
  void accept(DeliveryMode mode, u8 vector, TriggerMode trigger);
  /// For lowest-priority delivery: the LAPIC with the least value wins.
  u8 arbitration_priority() const { return processor_priority(); }
  /// Could LINT0, which is wired, raise what the processor takes even while it masks interrupts?
  bool may_raise_unmaskable() const;
  /// Can it take a fixed interrupt at all? False while disabled in either way.
  bool accepts_fixed() const { return enabled() && software_enabled(); }

 private:
  /// IRR, ISR or TMR.
  struct VectorSet {
    std::array<u64, 4> words{};
    bool test(u8 vector) const { return (words[vector >> 6] >> (vector & 63)) & 1; }
    void set(u8 vector) { words[vector >> 6] |= u64{1} << (vector & 63); }
    void clear(u8 vector) { words[vector >> 6] &= ~(u64{1} << (vector & 63)); }
    /// The highest vector, or -1.
    int highest() const;
    /// One of the eight 32-bit registers that show the set.
    u32 dword(unsigned index) const { return static_cast<u32>(words[index >> 1] >> ((index & 1) * 32)); }
  };
  enum class Interface : u8 { Xapic, X2apic };
  enum Lvt : u8 { kLvtTimer, kLvtThermal, kLvtPerformance, kLvtLint0, kLvtLint1, kLvtError, kLvtCount };

  /// False when the interface has no such register or it cannot be read / written so.
  bool read_register(unsigned index, Interface interface, u64& value) const;
  bool write_register(unsigned index, Interface interface, u64 value);
  bool write_apic_base(u64 value);
  void write_svr(u32 value);
  void write_lvt(Lvt entry, u32 value);
  void write_icr(u64 value, Interface interface);

  bool software_enabled() const { return (svr_ & 0x100) != 0; }
  u8 processor_priority() const;
  void end_of_interrupt();
  void raise_error(u8 esr_bit);
  void deliver_local(Lvt entry);
  void sample_lint(unsigned pin, bool rising);
  bool ext_int_pending() const;
  void reset_registers();
  /// The only place that computes interrupt_pending_.
  void update_irq();

  const LapicConfig config_;
  Clock& clock_;
  ApicFabric& fabric_;
  ApicCpu& cpu_;
  ExtIntSource& pic_;
  LapicTimer timer_;

  bool interrupt_pending_ = false;  // derived from the rest
  u64 apic_base_ = 0;
  u8 tpr_ = 0;
  u8 logical_id_ = 0;     // LDR[31:24] in xAPIC mode
  u8 logical_model_ = 0;  // DFR[31:28]
  u32 svr_ = 0;
  VectorSet irr_;
  VectorSet isr_;
  VectorSet tmr_;
  u8 esr_ = 0;
  u8 esr_pending_ = 0;  // errors since the last write of ESR
  u64 icr_ = 0;
  std::array<u32, kLvtCount> lvt_{};
  std::array<bool, 2> lint_level_{};
  bool ext_int_message_ = false;  // an ExtINT message waits for its INTA
};

}  // namespace reprise::devices
