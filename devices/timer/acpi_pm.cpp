#include "devices/timer/acpi_pm.h"

#include <fmt/format.h>

#include "common/bits.h"
#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Offsets from PMBASE, PIIX4 datasheet 7.2.
constexpr u16 kPmStatus = 0x00;
constexpr u16 kPmEnable = 0x02;
constexpr u16 kPmControl = 0x04;
constexpr u16 kPmTimer = 0x08;

// PM1_STS and PM1_EN, ACPI 4.8.3.1.
constexpr u16 kTimerEvent = 1u << 0;
constexpr u16 kGlobalEvent = 1u << 5;
constexpr u16 kPowerButtonEvent = 1u << 8;
constexpr u16 kRtcEvent = 1u << 10;
constexpr u16 kWakeStatus = 1u << 15;
constexpr u16 kEnableWritable = kTimerEvent | kGlobalEvent | kPowerButtonEvent | kRtcEvent;

// PM1_CNT, ACPI 4.8.3.2.
constexpr u16 kSciEnable = 1u << 0;
constexpr u16 kSleepEnable = 1u << 13;
constexpr u16 kControlWritable = 0x1c03;  // SLP_TYP, BM_RLD, SCI_EN

constexpr u16 kApmStatusBit = 1u << 5;

// APM ports, PIIX4 datasheet 4.2.8.
constexpr u16 kApmCommand = 0;

}  // namespace

/// Offsets from PMBASE, and bits of the register that enables SMIs.
struct AcpiPm::Layout {
  u16 gpe_status;
  u16 gpe_enable;
  u16 smi_status;
  u16 smi_control;
  u32 smi_control_writable;
  u32 smi_enable;    // of SMIs by the APM control port
  bool has_devactb;  // which must allow them, too
};

const AcpiPm::Layout& AcpiPm::layout() const {
  // GLBSTS and GLBCTL: SMI_EN, EOS. PIIX4 datasheet 7.2.9 and 7.2.13.
  static constexpr Layout kPiix4 = {0x0c, 0x0e, 0x18, 0x28, 1u << 0 | 1u << 16, 1u << 0, true};
  // SMI_STS and SMI_EN: GBL_SMI_EN, EOS, APMC_EN. ICH9 datasheet 13.8.3.12 and 13.8.3.13.
  static constexpr Layout kIch9 = {0x20, 0x28, 0x34, 0x30, 1u << 0 | 1u << 1 | 1u << 5, 1u << 5, false};
  return config_.layout == AcpiPmLayout::Ich9 ? kIch9 : kPiix4;
}

AcpiPm::AcpiPm(AcpiPmConfig config, Clock& clock, IrqLine sci, IrqLine smi, MachineControl& control,
               IrqLine power_changes)
    : config_(config),
      clock_(clock),
      sci_(sci),
      smi_(smi),
      control_(control),
      power_changes_(power_changes),
      event_(clock.create_timer("acpi_pm", [this] { update_irq(); })),
      pm_ports_(*this, &AcpiPm::read_pm, &AcpiPm::write_pm),
      smi_ports_(*this, &AcpiPm::read_smi, &AcpiPm::write_smi) {}

u64 AcpiPm::timer_clocks() const { return ns_to_clocks(clock_.now_ns(), kTimerHz); }

u16 AcpiPm::status() const { return timer_toggles() != toggles_seen_ ? status_ | kTimerEvent : status_; }

void AcpiPm::update_irq() {
  const bool active =
      power_ == Power::Awake && ((status() & enable_) != 0 || (gpe_status_ & gpe_enable_) != 0);
  sci_.set(active && (pm_control_ & kSciEnable));
  if ((enable_ & kTimerEvent) && !(status() & kTimerEvent))
    clock_.arm(event_, clocks_to_ns((timer_toggles() + 1) << timer_top_bit(), kTimerHz));
  else
    clock_.cancel(event_);
}

void AcpiPm::press_power_button() {
  status_ |= kPowerButtonEvent;
  update_irq();
  look_for_wake_event();
}

void AcpiPm::raise_event(unsigned event) {
  gpe_status_ = static_cast<u16>(gpe_status_ | 1u << event);
  update_irq();
}

// PIIX4 datasheet 7.2.1, RTC_STS: set when the alarm asserts IRQ8.
void AcpiPm::set_rtc_alarm(bool level) {
  const bool rises = level && !rtc_alarm_;
  rtc_alarm_ = level;
  if (!rises) return;
  status_ |= kRtcEvent;
  update_irq();
  look_for_wake_event();
}

// The power button needs no permission: ACPI 4.8.3.2, "PWRBTN_STS".
void AcpiPm::look_for_wake_event() {
  if (power_ == Power::Asleep && (status_ & (kPowerButtonEvent | (enable_ & kRtcEvent))))
    change_power(Power::WakesUp);
}

void AcpiPm::change_power(Power power) {
  power_ = power;
  power_changes_.pulse();
}

void AcpiPm::fall_asleep() {
  const u16 status = status_;
  const u16 enable = enable_;
  const u16 sci = pm_control_ & kSciEnable;
  const u32 smi = global_control_ & layout().smi_enable;
  reset(ResetKind::Warm);
  status_ = status & (kPowerButtonEvent | kRtcEvent);
  enable_ = enable & (kPowerButtonEvent | kRtcEvent);
  pm_control_ = sci;  // firmware is to leave it as it was: ACPI 16.3.2
  // SeaBIOS moves SMBASE by an SMI before it has placed this block's ports again.
  global_control_ = smi;
  power_ = Power::Asleep;
  update_irq();
  look_for_wake_event();
}

void AcpiPm::wake_up() {
  power_ = Power::Awake;
  status_ |= kWakeStatus;
  update_irq();
}

u32 AcpiPm::timer() const {
  return static_cast<u32>(timer_clocks() & (config_.timer_32_bit ? 0xffff'ffff : 0x00ff'ffff));
}

u16 AcpiPm::read_register(u16 offset) const {
  switch (offset) {
    case kPmStatus: return status();
    case kPmEnable: return enable_;
    case kPmControl: return pm_control_;
    case kPmTimer: return static_cast<u16>(timer());
    case kPmTimer + 2: return static_cast<u16>(timer() >> 16);
    default: break;
  }
  const Layout& at = layout();
  if (offset == at.gpe_status) return gpe_status_;
  if (offset == at.gpe_enable) return gpe_enable_;
  if (offset == at.smi_status) return global_status_;
  if (offset == at.smi_control) return static_cast<u16>(global_control_);
  if (offset == at.smi_control + 2) return static_cast<u16>(global_control_ >> 16);
  return 0;
}

void AcpiPm::write_register(u16 offset, u16 value, u16 mask) {
  switch (offset) {
    case kPmStatus:  // write 1 to clear
      if (value & mask & kTimerEvent) toggles_seen_ = timer_toggles();
      status_ &= static_cast<u16>(~(value & mask));
      break;
    case kPmEnable: enable_ = ((enable_ & ~mask) | (value & mask)) & kEnableWritable; break;
    case kPmControl: write_control(static_cast<u16>((pm_control_ & ~mask) | (value & mask))); break;
    default: write_event_register(offset, value, mask);
  }
}

void AcpiPm::write_event_register(u16 offset, u16 value, u16 mask) {
  const Layout& at = layout();
  if (offset == at.gpe_status) {
    gpe_status_ &= static_cast<u16>(~(value & mask));  // write 1 to clear
  } else if (offset == at.gpe_enable) {
    gpe_enable_ = static_cast<u16>((gpe_enable_ & ~mask) | (value & mask));
  } else if (offset == at.smi_status) {
    global_status_ &= static_cast<u16>(~(value & mask));
  } else if (offset == at.smi_control || offset == at.smi_control + 2) {
    const unsigned shift = 8u * (offset - at.smi_control);
    const u32 written = u32{mask} << shift;
    global_control_ =
        ((global_control_ & ~written) | (u32{value} << shift & written)) & at.smi_control_writable;
  }
}

void AcpiPm::write_control(u16 value) {
  pm_control_ = value & kControlWritable;
  if (!(value & kSleepEnable)) return;
  if (field(value, 10, 3) == config_.s5_sleep_type)
    control_.request(MachineRequest::PowerOff);
  else if (field(value, 10, 3) == config_.s3_sleep_type)
    change_power(Power::FallsAsleep);
  else
    status_ |= kWakeStatus;
}

u32 AcpiPm::read_pm(u16 offset, Width width) {
  if (offset == kPmTimer && width == Width::Dword) return timer();
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) {
    const u16 at = static_cast<u16>(offset + i);
    value |= u32{static_cast<u8>(read_register(static_cast<u16>(at & ~1u)) >> (8 * (at & 1)))} << (8 * i);
  }
  return value;
}

void AcpiPm::write_pm(u16 offset, Width width, u32 value) {
  const u64 bytes = u64{value} << (8 * (offset & 1));
  const u64 mask = width_mask(width) << (8 * (offset & 1));
  for (unsigned word = 0; word < 3; ++word) {
    const u16 word_mask = static_cast<u16>(mask >> (16 * word));
    if (word_mask)
      write_register(static_cast<u16>((offset & ~1u) + 2 * word), static_cast<u16>(bytes >> (16 * word)),
                     word_mask);
  }
  update_irq();
}

u32 AcpiPm::read_smi(u16 offset, Width) { return offset == kApmCommand ? apm_command_ : apm_status_; }

void AcpiPm::write_smi(u16 offset, Width, u32 value) {
  const u8 byte = static_cast<u8>(value);
  if (offset != kApmCommand) {
    apm_status_ = byte;
    return;
  }
  apm_command_ = byte;
  if (byte == config_.acpi_enable)
    pm_control_ |= kSciEnable;
  else if (byte == config_.acpi_disable)
    pm_control_ &= static_cast<u16>(~kSciEnable);
  else if (apm_smi_enabled_ || !layout().has_devactb)
    raise_apm_smi();
  update_irq();
}

void AcpiPm::raise_apm_smi() {
  global_status_ |= kApmStatusBit;
  if (!(global_control_ & layout().smi_enable)) return;
  smi_.set(true);
  smi_.set(false);
}

void AcpiPm::reset(ResetKind) {
  power_ = Power::Awake;
  status_ = enable_ = pm_control_ = 0;
  gpe_status_ = gpe_enable_ = 0;
  global_status_ = 0;
  global_control_ = 0;
  toggles_seen_ = timer_toggles();
  apm_command_ = apm_status_ = 0;
  update_irq();
}

void AcpiPm::serialize(Archive& archive) {
  archive.tag("acpi_pm");
  archive.at_most(power_, Power::WakesUp);
  archive.value(rtc_alarm_);
  archive.value(status_);
  archive.value(enable_);
  archive.value(pm_control_);
  archive.value(gpe_status_);
  archive.value(gpe_enable_);
  archive.value(toggles_seen_);
  archive.value(apm_command_);
  archive.value(apm_status_);
  archive.value(global_status_);
  archive.value(global_control_);
  serialize_timer(archive, clock_, event_);
}

std::string AcpiPm::debug_dump() const {
  return fmt::format(
      "{}pm1_sts={:04x} pm1_en={:04x} pm1_cnt={:04x} timer={:06x} gpe0_sts={:04x} gpe0_en={:04x} apmc={:02x} "
      "apms={:02x} glbsts={:04x} glbctl={:08x}\n",
      power_ == Power::Awake ? "" : "asleep ", status(), enable_, pm_control_, timer(), gpe_status_,
      gpe_enable_, apm_command_, apm_status_, global_status_, global_control_);
}

}  // namespace reprise::devices
