#include "devices/irq/lapic.h"

#include <fmt/format.h>

#include <bit>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Register indices: xAPIC offset / 10h, x2APIC MSR - 800h. SDM 3A tables 10-1 and 10-6.
enum Register : unsigned {
  kId = 0x02,
  kVersion = 0x03,
  kTpr = 0x08,
  kApr = 0x09,
  kPpr = 0x0a,
  kEoi = 0x0b,
  kRrd = 0x0c,
  kLdr = 0x0d,
  kDfr = 0x0e,
  kSvr = 0x0f,
  kIsr = 0x10,
  kTmr = 0x18,
  kIrr = 0x20,
  kEsr = 0x28,
  kIcrLow = 0x30,
  kIcrHigh = 0x31,
  kLvtTimerRegister = 0x32,
  kLvtThermalRegister = 0x33,
  kLvtPerformanceRegister = 0x34,
  kLvtLint0Register = 0x35,
  kLvtLint1Register = 0x36,
  kLvtErrorRegister = 0x37,
  kInitialCount = 0x38,
  kCurrentCount = 0x39,
  kDivideConfiguration = 0x3e,
  kSelfIpi = 0x3f,
};

// Version 14h, LVT entries - 1, suppression of EOI broadcasts offered. SDM 3A 10.4.8.
constexpr u32 kVersionValue = 0x14 | 5u << 16 | 1u << 24;

// IA32_APIC_BASE. SDM 3A 10.4.4, 10.12.1.
constexpr u64 kBaseBsp = 1u << 8;
constexpr u64 kBaseX2apic = 1u << 10;
constexpr u64 kBaseEnable = 1u << 11;

// Spurious-interrupt vector register. SDM 3A 10.9.
constexpr u32 kSvrWritable = 0x13ff;
constexpr u32 kSvrSuppressEoiBroadcast = 1u << 12;
constexpr u32 kSvrReset = 0xff;

// LVT entries. SDM 3A 10.5.1.
constexpr u32 kLvtRemoteIrr = 1u << 14;
constexpr u32 kLvtLevel = 1u << 15;
constexpr u32 kLvtMasked = 1u << 16;
constexpr u32 kLvtReadOnly = 1u << 12 | kLvtRemoteIrr;
// Writable bits in the order of enum Lvt.
constexpr u32 kLvtWritable[] = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

// ESR. SDM 3A 10.5.3.
constexpr u8 kEsrSendIllegalVector = 1u << 5;
constexpr u8 kEsrReceivedIllegalVector = 1u << 6;
constexpr u8 kEsrIllegalRegister = 1u << 7;
constexpr u8 kFirstLegalVector = 16;

// ICR. SDM 3A 10.6.1, 10.12.9.
constexpr u32 kIcrWritableLow = 0x000c'cfff;
constexpr u64 kIcrReservedX2apic = 0xfff3'2000;
constexpr u32 kIcrLogical = 1u << 11;
constexpr u32 kIcrAssert = 1u << 14;
constexpr u32 kIcrLevel = 1u << 15;
enum class Shorthand : u8 { None, Self, AllIncludingSelf, AllExcludingSelf };

constexpr u8 kFlatModel = 0xf;

/// What reading the current count takes longer than an instruction: docs/decisions/0008-deliveries-and-timer-reads-stall.md.
constexpr u64 kCountReadNs = 100;
/// What sending an interrupt takes, whether or not it is taken.
constexpr u64 kIpiNs = 200;

DeliveryMode delivery_mode(u64 value) { return static_cast<DeliveryMode>(field(value, 8, 3)); }

// The x2APIC logical id follows from the APIC id: cluster in the high half, one bit in the low. SDM 3A 10.12.10.2.
u32 x2apic_ldr(u32 apic_id) { return (apic_id >> 4) << 16 | 1u << (apic_id & 15); }

}  // namespace

int Lapic::VectorSet::highest() const {
  for (int word = 3; word >= 0; --word)
    if (words[static_cast<std::size_t>(word)])
      return word * 64 + 63 - std::countl_zero(words[static_cast<std::size_t>(word)]);
  return -1;
}

Lapic::Lapic(LapicConfig config, Clock& clock, ApicFabric& fabric, ApicCpu& cpu, ExtIntSource& pic)
    : config_(config), clock_(clock), fabric_(fabric), cpu_(cpu), pic_(pic), timer_(clock, [this] {
        deliver_local(kLvtTimer);
      }) {
  apic_base_ = kDefaultBasePhys | kBaseEnable | (config_.bootstrap ? kBaseBsp : 0);
  reset_registers();
}

// SDM 3A 10.4.7.1.
void Lapic::reset_registers() {
  tpr_ = 0;
  logical_id_ = 0;
  logical_model_ = kFlatModel;
  svr_ = kSvrReset;
  irr_ = isr_ = tmr_ = {};
  esr_ = esr_pending_ = 0;
  icr_ = 0;
  lvt_.fill(kLvtMasked);
  ext_int_message_ = false;
  timer_.reset();
  update_irq();
}

void Lapic::reset(ResetKind) {
  const u64 old_base = apic_base_;
  apic_base_ = kDefaultBasePhys | kBaseEnable | (config_.bootstrap ? kBaseBsp : 0);
  reset_registers();
  if (apic_base_ != old_base) cpu_.apic_base_changed(base_phys(), mmio_enabled());
}

void Lapic::init_reset() { reset_registers(); }

u64 Lapic::base_phys() const { return apic_base_ & kPageMask; }
bool Lapic::enabled() const { return (apic_base_ & kBaseEnable) != 0; }
bool Lapic::x2apic() const { return (apic_base_ & kBaseX2apic) != 0; }

// SDM 3A 10.12.5, figure 10-27: the legal transitions are disabled -> xAPIC -> x2APIC -> disabled and xAPIC -> disabled.
bool Lapic::write_apic_base(u64 value) {
  const u64 address_mask = ((u64{1} << config_.phys_bits) - 1) & kPageMask;
  if (value & ~(address_mask | kBaseEnable | kBaseX2apic | kBaseBsp)) return false;
  const bool enable = (value & kBaseEnable) != 0;
  const bool extended = (value & kBaseX2apic) != 0;
  if (extended && !enable) return false;
  if (extended && !enabled()) return false;
  if (!extended && enable && x2apic()) return false;

  const bool was_enabled = enabled();
  const u64 old_base = apic_base_;
  apic_base_ = (value & ~kBaseBsp) | (old_base & kBaseBsp);
  if (was_enabled && !enable) reset_registers();
  if (extended && !(old_base & kBaseX2apic)) icr_ &= 0xffff'ffff;
  if (apic_base_ != old_base) cpu_.apic_base_changed(base_phys(), mmio_enabled());
  update_irq();
  return true;
}

bool Lapic::msr_read(u32 msr, u64& value) {
  if (msr == kMsrApicBase) {
    value = apic_base_;
    return true;
  }
  if (msr == kMsrTscDeadline) {
    value = timer_.tsc_deadline();
    return true;
  }
  if (msr < kMsrX2ApicFirst || msr > kMsrX2ApicLast || !x2apic()) return false;
  if (msr - kMsrX2ApicFirst == kCurrentCount) clock_.stall(kCountReadNs);
  return read_register(msr - kMsrX2ApicFirst, Interface::X2apic, value);
}

bool Lapic::msr_write(u32 msr, u64 value) {
  if (msr == kMsrApicBase) return write_apic_base(value);
  if (msr == kMsrTscDeadline) {
    timer_.set_tsc_deadline(value);
    return true;
  }
  if (msr < kMsrX2ApicFirst || msr > kMsrX2ApicLast || !x2apic()) return false;
  return write_register(msr - kMsrX2ApicFirst, Interface::X2apic, value);
}

// SDM 3A 10.4.1: registers are dwords at multiples of 10h; what other accesses do is undefined.
// Undefined: reads of any width see the register zero-extended over its 16 bytes; other writes are dropped.
u64 Lapic::mmio_read(u64 offset, Width width) {
  if (!mmio_enabled() || offset >= kPageBytes) return width_mask(width);
  const unsigned index = static_cast<unsigned>(offset >> 4);
  if (index == kCurrentCount) clock_.stall(kCountReadNs);
  u64 value = 0;
  if (!read_register(index, Interface::Xapic, value)) raise_error(kEsrIllegalRegister);
  const unsigned shift = 8 * static_cast<unsigned>(offset & 15);
  return shift < 64 ? (value >> shift) & width_mask(width) : 0;
}

void Lapic::mmio_write(u64 offset, Width width, u64 value) {
  if (!mmio_enabled() || offset >= kPageBytes || (offset & 15) || width < Width::Dword) return;
  if (!write_register(static_cast<unsigned>(offset >> 4), Interface::Xapic, value & 0xffff'ffff))
    raise_error(kEsrIllegalRegister);
}

bool Lapic::read_register(unsigned index, Interface interface, u64& value) const {
  const bool extended = interface == Interface::X2apic;
  if (index >= kIsr && index < kEsr) {
    const VectorSet& set = index < kTmr ? isr_ : index < kIrr ? tmr_ : irr_;
    value = set.dword(index & 7);
    return true;
  }
  switch (index) {
    case kId: value = extended ? config_.apic_id : config_.apic_id << 24; return true;
    case kVersion: value = kVersionValue; return true;
    case kTpr: value = tpr_; return true;
    case kPpr: value = processor_priority(); return true;
    case kApr:
    case kRrd:
    case kEoi: value = 0; return !extended;
    case kLdr: value = extended ? x2apic_ldr(config_.apic_id) : u32{logical_id_} << 24; return true;
    case kDfr: value = u32{logical_model_} << 28 | 0x0fff'ffff; return !extended;
    case kSvr: value = svr_; return true;
    case kEsr: value = esr_; return true;
    case kIcrLow: value = extended ? icr_ : icr_ & 0xffff'ffff; return true;
    case kIcrHigh: value = icr_ >> 32; return !extended;
    case kLvtTimerRegister:
    case kLvtThermalRegister:
    case kLvtPerformanceRegister:
    case kLvtLint0Register:
    case kLvtLint1Register:
    case kLvtErrorRegister: value = lvt_[index - kLvtTimerRegister]; return true;
    case kInitialCount: value = timer_.initial_count(); return true;
    case kCurrentCount: value = timer_.current_count(); return true;
    case kDivideConfiguration: value = timer_.divide_configuration(); return true;
    default: return false;
  }
}

// In x2APIC mode a set reserved bit is a #GP (SDM 3A 10.12.1.3); in xAPIC mode it is dropped.
bool Lapic::write_register(unsigned index, Interface interface, u64 value) {
  const bool extended = interface == Interface::X2apic;
  const auto reserved = [&](u64 writable) { return extended && (value & ~writable) != 0; };
  const u32 low = static_cast<u32>(value);
  switch (index) {
    case kId: return !extended;  // read-only, silently so in the page
    case kTpr:
      if (reserved(0xff)) return false;
      tpr_ = static_cast<u8>(low);
      update_irq();
      return true;
    case kEoi:
      if (reserved(0)) return false;
      end_of_interrupt();
      return true;
    case kLdr:
      if (extended) return false;
      logical_id_ = static_cast<u8>(low >> 24);
      return true;
    case kDfr:
      if (extended) return false;
      logical_model_ = static_cast<u8>(low >> 28);
      return true;
    case kSvr:
      if (reserved(kSvrWritable)) return false;
      write_svr(low & kSvrWritable);
      return true;
    case kEsr:
      if (reserved(0)) return false;
      esr_ = esr_pending_;
      esr_pending_ = 0;
      return true;
    case kIcrLow:
      if (extended && (value & kIcrReservedX2apic)) return false;
      write_icr(extended ? value : (icr_ & ~u64{0xffff'ffff}) | low, interface);
      return true;
    case kIcrHigh:
      if (extended) return false;
      icr_ = (icr_ & 0xffff'ffff) | u64{low & 0xff00'0000} << 32;
      return true;
    case kLvtTimerRegister:
    case kLvtThermalRegister:
    case kLvtPerformanceRegister:
    case kLvtLint0Register:
    case kLvtLint1Register:
    case kLvtErrorRegister: {
      const Lvt entry = static_cast<Lvt>(index - kLvtTimerRegister);
      if (reserved(kLvtWritable[entry] | kLvtReadOnly)) return false;
      write_lvt(entry, low);
      return true;
    }
    case kInitialCount:
      if (reserved(0xffff'ffff)) return false;
      timer_.set_initial_count(low);
      return true;
    case kDivideConfiguration:
      if (reserved(0b1011)) return false;
      timer_.set_divide_configuration(low);
      return true;
    case kSelfIpi:
      if (!extended || reserved(0xff)) return false;
      write_icr(u64{0x40000} | (low & 0xff), interface);
      return true;
    default: break;
  }
  // Read-only registers: dropped in the page, #GP as MSRs.
  u64 ignored = 0;
  return !extended && read_register(index, interface, ignored);
}

// SDM 3A 10.4.7.2: clearing the enable bit masks every LVT entry; requests already in IRR and ISR stay.
void Lapic::write_svr(u32 value) {
  svr_ = value;
  if (!software_enabled()) {
    for (u32& entry : lvt_) entry |= kLvtMasked;
    timer_.set_lvt(static_cast<LapicTimer::Mode>(field(lvt_[kLvtTimer], 17, 2)), true);
  }
  update_irq();
}

void Lapic::write_lvt(Lvt entry, u32 value) {
  const u32 old = lvt_[entry];
  u32 now = value & kLvtWritable[entry];
  if (!software_enabled()) now |= kLvtMasked;
  if ((now & kLvtLevel) && delivery_mode(now) == DeliveryMode::Fixed) now |= old & kLvtRemoteIrr;
  if (entry == kLvtTimer) {
    if (field(now, 17, 2) == 3) now &= ~(3u << 17);  // Undefined: the reserved timer mode is one-shot
    timer_.set_lvt(static_cast<LapicTimer::Mode>(field(now, 17, 2)), (now & kLvtMasked) != 0);
  }
  lvt_[entry] = now;
  if (entry == kLvtLint0) sample_lint(0, false);
  if (entry == kLvtLint1) sample_lint(1, false);
  update_irq();
}

// SDM 3A 10.6.1, tables 10-3 and 10-4.
void Lapic::write_icr(u64 value, Interface interface) {
  clock_.stall(kIpiNs);
  const bool extended = interface == Interface::X2apic;
  icr_ = (value & ~u64{0xffff'ffff}) | (value & kIcrWritableLow);
  const u32 low = static_cast<u32>(icr_);

  ApicMessage message;
  message.destination =
      extended ? static_cast<u32>(icr_ >> 32) : widen_apic_destination(static_cast<u8>(icr_ >> 56));
  message.destination_mode = low & kIcrLogical ? DestinationMode::Logical : DestinationMode::Physical;
  message.delivery_mode = delivery_mode(low);
  message.vector = static_cast<u8>(low);
  const auto shorthand = static_cast<Shorthand>(field(low, 18, 2));

  switch (message.delivery_mode) {
    case DeliveryMode::Fixed:
    case DeliveryMode::LowestPriority:
      if (message.vector < kFirstLegalVector) return raise_error(kEsrSendIllegalVector);
      break;
    case DeliveryMode::Init:
      if ((low & kIcrLevel) && !(low & kIcrAssert))
        return;  // INIT level de-assert: only for the bus arbiters of old
      break;
    case DeliveryMode::Smi:
    case DeliveryMode::Nmi:
    case DeliveryMode::StartUp: break;
    case DeliveryMode::RemoteRead:
    case DeliveryMode::ExtInt: return;
  }

  switch (shorthand) {
    case Shorthand::None: fabric_.send_ipi(message, std::nullopt); break;
    case Shorthand::Self:
      if (message.delivery_mode == DeliveryMode::Fixed)
        accept(DeliveryMode::Fixed, message.vector, TriggerMode::Edge);
      break;
    case Shorthand::AllIncludingSelf:
      message.destination = kApicBroadcast;
      if (message.delivery_mode == DeliveryMode::Fixed) fabric_.send_ipi(message, std::nullopt);
      break;
    case Shorthand::AllExcludingSelf:
      message.destination = kApicBroadcast;
      fabric_.send_ipi(message, config_.apic_id);
      break;
  }
}

bool Lapic::matches(const ApicMessage& message) const {
  if (!enabled()) return false;
  const u32 destination = message.destination;
  if (destination == kApicBroadcast) return true;
  if (message.destination_mode == DestinationMode::Physical) return destination == config_.apic_id;
  if (x2apic()) {
    const u32 ldr = x2apic_ldr(config_.apic_id);
    return (destination >> 16) == (ldr >> 16) && (destination & ldr & 0xffff) != 0;
  }
  if (destination > 0xff) return false;
  if (logical_model_ == kFlatModel) return (destination & logical_id_) != 0;
  const u32 cluster = destination >> 4;
  return (cluster == 0xf || cluster == static_cast<u32>(logical_id_ >> 4)) &&
         (destination & logical_id_ & 0xf) != 0;
}

void Lapic::accept(DeliveryMode mode, u8 vector, TriggerMode trigger) {
  switch (mode) {
    case DeliveryMode::Fixed:
    case DeliveryMode::LowestPriority:
      if (!accepts_fixed()) return;
      if (vector < kFirstLegalVector) return raise_error(kEsrReceivedIllegalVector);
      irr_.set(vector);
      if (trigger == TriggerMode::Level)
        tmr_.set(vector);
      else
        tmr_.clear(vector);
      update_irq();
      return;
    case DeliveryMode::Smi: return cpu_.smi();
    case DeliveryMode::Nmi: return cpu_.nmi();
    case DeliveryMode::Init: return cpu_.init();
    case DeliveryMode::StartUp: return cpu_.start_up(vector);
    case DeliveryMode::ExtInt:
      ext_int_message_ = true;
      update_irq();
      return;
    case DeliveryMode::RemoteRead: return;
  }
}

void Lapic::deliver_local(Lvt entry) {
  const u32 lvt = lvt_[entry];
  if (lvt & kLvtMasked) return;
  const bool typed = entry != kLvtTimer && entry != kLvtError;
  const DeliveryMode mode = typed ? delivery_mode(lvt) : DeliveryMode::Fixed;
  const bool level = (lvt & kLvtLevel) && mode == DeliveryMode::Fixed;
  switch (mode) {
    case DeliveryMode::ExtInt:  // level-sensitive: see ext_int_pending()
    case DeliveryMode::StartUp:
    case DeliveryMode::LowestPriority:
    case DeliveryMode::RemoteRead: return;
    default: accept(mode, static_cast<u8>(lvt), level ? TriggerMode::Level : TriggerMode::Edge);
  }
}

void Lapic::performance_interrupt() {
  if (!enabled()) return;
  deliver_local(kLvtPerformance);
  lvt_[kLvtPerformance] |= kLvtMasked;
}

// `rising` tells an edge from a mere look at the level.
void Lapic::sample_lint(unsigned pin, bool rising) {
  const Lvt entry = pin == 0 ? kLvtLint0 : kLvtLint1;
  u32& lvt = lvt_[entry];
  if (!enabled() || (lvt & kLvtMasked) || !lint_level_[pin]) return;
  if ((lvt & kLvtLevel) && delivery_mode(lvt) == DeliveryMode::Fixed) {
    if (lvt & kLvtRemoteIrr) return;
    lvt |= kLvtRemoteIrr;
    deliver_local(entry);
  } else if (rising) {
    deliver_local(entry);
  }
}

void Lapic::set_irq(unsigned line, bool level) {
  if (line > 1 || lint_level_[line] == level) return;
  lint_level_[line] = level;
  if (!enabled() && line == 1 && level) cpu_.nmi();  // SDM 3A 10.4.3: the pins are INTR and NMI
  sample_lint(line, level);
  update_irq();
}

bool Lapic::may_raise_unmaskable() const {
  return !(lvt_[kLvtLint0] & kLvtMasked) && is_unmaskable(delivery_mode(lvt_[kLvtLint0]));
}

bool Lapic::ext_int_pending() const {
  if (ext_int_message_) return true;
  if (!lint_level_[0]) return false;
  if (!enabled()) return true;
  return !(lvt_[kLvtLint0] & kLvtMasked) && delivery_mode(lvt_[kLvtLint0]) == DeliveryMode::ExtInt;
}

// SDM 3A 10.8.3.1.
u8 Lapic::processor_priority() const {
  const int in_service = isr_.highest();
  const u8 service_class = in_service < 0 ? u8{0} : static_cast<u8>(in_service & 0xf0);
  return (tpr_ & 0xf0) >= service_class ? tpr_ : service_class;
}

void Lapic::update_irq() {
  const int request = irr_.highest();
  const bool before = interrupt_pending_;
  interrupt_pending_ =
      ext_int_pending() || (enabled() && request >= 0 && (request >> 4) > (processor_priority() >> 4));
  if (interrupt_pending_ && !before) cpu_.interrupt();
}

u8 Lapic::acknowledge_interrupt() {
  if (ext_int_pending()) {
    ext_int_message_ = false;
    const u8 vector = pic_.acknowledge_ext_int();
    update_irq();
    return vector;
  }
  const int request = irr_.highest();
  if (request < 0 || (request >> 4) <= (processor_priority() >> 4)) return static_cast<u8>(svr_);
  const u8 vector = static_cast<u8>(request);
  irr_.clear(vector);
  isr_.set(vector);
  update_irq();
  return vector;
}

void Lapic::set_cr8(u8 value) {
  tpr_ = static_cast<u8>(value << 4);
  update_irq();
}

// SDM 3A 10.8.5.
void Lapic::end_of_interrupt() {
  const int in_service = isr_.highest();
  if (in_service < 0) return;
  const u8 vector = static_cast<u8>(in_service);
  isr_.clear(vector);
  if (tmr_.test(vector)) {
    for (unsigned pin = 0; pin < 2; ++pin) {
      u32& lvt = lvt_[pin == 0 ? kLvtLint0 : kLvtLint1];
      if (!(lvt & kLvtRemoteIrr) || static_cast<u8>(lvt) != vector) continue;
      lvt &= ~kLvtRemoteIrr;
      sample_lint(pin, false);
    }
    if (!(svr_ & kSvrSuppressEoiBroadcast)) fabric_.broadcast_eoi(vector);
  }
  update_irq();
}

// SDM 3A 10.5.3. An error that is already waiting raises no second interrupt, which also ends the chain that an illegal
// vector in the error entry itself would start.
void Lapic::raise_error(u8 esr_bit) {
  if (esr_pending_ & esr_bit) return;
  esr_pending_ |= esr_bit;
  deliver_local(kLvtError);
}

void Lapic::serialize(Archive& archive) {
  archive.tag("lapic");
  u64 apic_base = apic_base_;
  archive.value(apic_base);
  const u64 address_mask = ((u64{1} << config_.phys_bits) - 1) & kPageMask;
  if ((apic_base & ~(address_mask | kBaseEnable | kBaseX2apic | kBaseBsp)) == 0)
    apic_base_ = apic_base;
  else
    archive.fail();
  archive.value(tpr_);
  archive.value(logical_id_);
  archive.value(logical_model_);
  archive.value(svr_);
  archive.value(irr_.words);
  archive.value(isr_.words);
  archive.value(tmr_.words);
  archive.value(esr_);
  archive.value(esr_pending_);
  archive.value(icr_);
  archive.value(lvt_);
  archive.value(lint_level_);
  archive.value(ext_int_message_);
  timer_.serialize(archive);
  if (!archive.loading()) return;
  cpu_.apic_base_changed(base_phys(), mmio_enabled());
  update_irq();
}

std::string Lapic::debug_dump() const {
  std::string text = fmt::format(
      "id={:x} base={:x} tpr={:02x} ppr={:02x} svr={:x} ldr={:02x} dfr={:x} esr={:02x} icr={:x}{}\n",
      config_.apic_id, apic_base_, tpr_, processor_priority(), svr_, logical_id_, logical_model_, esr_, icr_,
      interrupt_pending_ ? " pending" : "");
  static constexpr const char* kNames[] = {"timer", "thermal", "perf", "lint0", "lint1", "error"};
  for (unsigned i = 0; i < kLvtCount; ++i) text += fmt::format("lvt {}={:05x} ", kNames[i], lvt_[i]);
  text += fmt::format("\ntimer initial={:x} current={:x} deadline={:x}\n", timer_.initial_count(),
                      timer_.current_count(), timer_.tsc_deadline());
  const auto list = [&](const char* title, const VectorSet& set) {
    text += title;
    for (unsigned v = 0; v < 256; ++v)
      if (set.test(static_cast<u8>(v))) text += fmt::format(" {:02x}", v);
    text += '\n';
  };
  list("irr", irr_);
  list("isr", isr_);
  list("tmr", tmr_);
  return text;
}

}  // namespace reprise::devices
