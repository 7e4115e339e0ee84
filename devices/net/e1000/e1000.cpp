#include "devices/net/e1000/e1000.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devices/net/e1000/registers.h"
#include "devices/timer_state.h"

namespace reprise::devices {

using namespace e1000;

namespace {

constexpr u64 kBarBytes = 128 * 1024;
constexpr u32 kPortBytes = 64;
constexpr u16 kIoAddress = 0, kIoData = 4;
constexpr u32 kMdicInterrupt = 1u << 29;

/// Registers that hold what was written to them and do nothing by themselves. Table 13-2.
struct Range {
  u32 first, last;
};
constexpr Range kPlain[] = {
    {0x0018, 0x0018},  // CTRL_EXT
    {0x0028, 0x0030},  // FCAL, FCAH, FCT
    {kVet, kVet},
    {0x00c4, 0x00c4},  // ITR
    {0x0170, 0x0180},  // FCTTV, TXCW, RXCW
    {kTipg, kTipg},
    {0x0458, 0x0458},  // AIT
    {kLedctl, kLedctl},
    {kPba, kPba},
    {0x2160, 0x2168},  // FCRTL, FCRTH
    {0x2410, 0x2430},  // receive FIFO
    {kRdbal, kRdlen},
    {0x2820, 0x282c},  // RDTR, RXDCTL, RADV
    {0x2c00, 0x2c00},  // RSRPD
    {0x3410, 0x3430},  // transmit FIFO
    {kTdbal, kTdlen},
    {0x3820, 0x382c},  // TIDV, TXDCTL, TADV
    {kRxcsum, kRxcsum},
    {kMulticastTable, kMulticastTable + 0x1fc},
    {kReceiveAddresses, kReceiveAddresses + 0x7c},
    {kVlanTable, kVlanTable + 0x1fc},
    {0x5800, 0x5818},  // WUC, WUFC, WUS
    {kManc, kManc},
    {kSwsm, kSwsm},
};

bool is_plain(u32 offset) {
  return std::ranges::any_of(
      kPlain, [offset](const Range& range) { return offset >= range.first && offset <= range.last; });
}

/// Bits that cannot be set: rings are aligned to 16 bytes and a multiple of 128 bytes long, heads and tails have 16 bits.
u32 writable_bits(u32 offset) {
  switch (offset) {
    case kRdbal:
    case kTdbal: return ~u32{15};
    case kRdlen:
    case kTdlen: return 0x000f'ff80;
    default: return ~u32{0};
  }
}

}  // namespace

E1000::E1000(NetBackend& network, const MacAddress& mac, Clock& clock, DmaPort& memory, IrqLine interrupt)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x100e,
                   .revision = 3,
                   .class_code = 0x020000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}),
      network_(network),
      burnt_in_mac_(mac),
      clock_(clock),
      dma_(*this, memory),
      interrupt_(interrupt),
      transmit_timer_(clock.create_timer("e1000-transmit", [this] { transmit_event(); })),
      receive_timer_(clock.create_timer("e1000-receive", [this] { receive_event(); })),
      mac_(mac),
      eeprom_(mac) {
  define_memory_bar(0, kBarBytes, *this);
  define_io_bar(1, kPortBytes, *this, Width::Dword);
  define16(pci::kCommand, 0,
           pci::kCommandIo | pci::kCommandMemory | pci::kCommandBusMaster | pci::kCommandInterruptDisable);
  define8(pci::kInterruptPin, 1);
  apply_reset_values();
  reset_registers();
}

void E1000::burn_in(const MacAddress& mac) {
  burnt_in_mac_ = mac;
  eeprom_ = E1000Eeprom(mac);
  reset_registers();
}

void E1000::reset(ResetKind kind) {
  port_address_ = 0;
  reset_registers();
  PciFunction::reset(kind);
}

void E1000::reset_registers() {
  registers_ = {};
  reg(kPba) = 0x0010'0030;
  reg(kLedctl) = 0x0706'8302;
  reg(kVet) = kTypeVlan;
  reg(0x2828) = 1u << 24;  // RXDCTL: counts descriptors
  mac_ = burnt_in_mac_;
  // 13.5.2: the card reads its address out of the EEPROM.
  reg(kReceiveAddresses) = u32{mac_[0]} | u32{mac_[1]} << 8 | u32{mac_[2]} << 16 | u32{mac_[3]} << 24;
  reg(kReceiveAddresses + 4) = u32{mac_[4]} | u32{mac_[5]} << 8 | kAddressValid;
  eeprom_.reset();
  phy_.reset();
  context_ = {};
  packet_ = {};
  backlog_.clear();
  clock_.cancel(transmit_timer_);
  clock_.cancel(receive_timer_);
  update_interrupt();
}

void E1000::config_changed(ConfigChange change) {
  update_interrupt();
  if (!change.touches(pci::kCommand, 2)) return;
  start_transmitting();
  start_receiving();
}

void E1000::set_link(bool up) {
  if (up == link_) return;
  link_ = up;
  if (!up) backlog_.clear();
  raise(kLinkChanged);
}

// --- Registers ---

u64 E1000::mmio_read(u64 offset, Width width) {
  // Registers are read whole; who asks for less gets a part of one, who asks for more two.
  const u32 low = read_register(static_cast<u32>(offset & ~u64{3}));
  if (width == Width::Qword) return low | u64{read_register(static_cast<u32>(offset + 4))} << 32;
  return u64{low} >> 8 * (offset & 3) & width_mask(width);
}

void E1000::mmio_write(u64 offset, Width width, u64 value) {
  // 13.2: narrower writes have no effect.
  if (width == Width::Qword) write_register(static_cast<u32>(offset + 4), static_cast<u32>(value >> 32));
  if (width == Width::Dword || width == Width::Qword)
    write_register(static_cast<u32>(offset), static_cast<u32>(value));
}

u32 E1000::pio_read(u16 offset, Width width) {
  if (width != Width::Dword) return width_mask(width) & ~u32{0};
  if (offset == kIoAddress) return port_address_;
  return offset == kIoData ? read_register(port_address_ & ~3u) : 0;
}

void E1000::pio_write(u16 offset, Width width, u32 value) {
  if (width != Width::Dword) return;
  if (offset == kIoAddress) port_address_ = value & (kBarBytes - 1);
  if (offset == kIoData) write_register(port_address_ & ~3u, value);
}

u32 E1000::read_register(u32 offset) {
  if (offset >= kRegisterBytes) return 0;
  switch (offset) {
    case kStatus: return kStatusFullDuplex | kStatus1000 | kStatusDetected1000 | (link_ ? kStatusLinkUp : 0);
    case kEecd: return eeprom_.eecd();
    case kIcr: {
      const u32 causes = reg(kIcr);
      reg(kIcr) = 0;
      update_interrupt();
      return causes;
    }
    case kIcs:
    case kImc: return 0;
    default: break;
  }
  if (offset < kStatistics || offset >= kStatisticsEnd) return reg(offset);
  return std::exchange(reg(offset), 0);  // 13.7: reading clears
}

void E1000::write_register(u32 offset, u32 value) {
  if (offset >= kRegisterBytes) return;
  switch (offset) {
    case kCtrl:
      if (value & kCtrlPhyReset) phy_.reset();
      if (value & kCtrlReset) return reset_registers();
      reg(kCtrl) = value & ~kCtrlPhyReset;
      return;
    case kEecd: return eeprom_.write_eecd(value);
    case kEerd: reg(kEerd) = eeprom_.read_at_once(value); return;
    case kMdic:
      reg(kMdic) = phy_.access(value, link_);
      if (value & kMdicInterrupt) raise(kMdioDone);
      return;
    case kIcr: reg(kIcr) &= ~value; return update_interrupt();
    case kIcs: return raise(value & 0x1'ffff);
    case kIms: reg(kIms) |= value & 0x1'ffff; return update_interrupt();
    case kImc: reg(kIms) &= ~value; return update_interrupt();
    case kRctl: reg(kRctl) = value; return start_receiving();
    case kTctl: reg(kTctl) = value; return start_transmitting();
    case kRdh:
    case kTdh: reg(offset) = value & 0xffff; return;
    case kRdt: reg(kRdt) = value & 0xffff; return start_receiving();
    case kTdt: reg(kTdt) = value & 0xffff; return start_transmitting();
    default:
      if (is_plain(offset)) reg(offset) = value & writable_bits(offset);
      // The first of the addresses is the card's own.
      for (unsigned i = 0; i < mac_.size(); ++i)
        mac_[i] = static_cast<u8>(reg(kReceiveAddresses + (i & ~3u)) >> 8 * (i % 4));
  }
}

void E1000::raise(u32 causes) {
  reg(kIcr) |= causes;
  update_interrupt();
}

void E1000::update_interrupt() {
  const bool wanted = (reg(kIcr) & reg(kIms)) != 0;
  const u8 status = static_cast<u8>(word(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, wanted ? status | pci::kStatusInterrupt : status);
  interrupt_.set(wanted && !(word(pci::kCommand) & pci::kCommandInterruptDisable));
}

void E1000::count(u32 offset, u64 amount) {
  // Counters of bytes have two registers; none wraps. 13.7.
  if (offset != kBytesReceived && offset != kBytesSent) {
    reg(offset) = static_cast<u32>(std::min<u64>(u64{reg(offset)} + amount, ~u32{0}));
    return;
  }
  const u64 sum = (u64{reg(offset + 4)} << 32 | reg(offset)) + amount;
  reg(offset) = static_cast<u32>(sum);
  reg(offset + 4) = static_cast<u32>(sum >> 32);
}

// --- State ---

void E1000::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.tag("e1000");
  archive.value(mac_);
  archive.value(link_);
  archive.value(registers_);
  archive.value(port_address_);
  eeprom_.serialize(archive);
  phy_.serialize(archive);
  for (u8* const field : {&context_.ip_start, &context_.ip_offset, &context_.tcp_start, &context_.tcp_offset})
    archive.value(*field);
  for (u16* const field : {&context_.ip_end, &context_.tcp_end, &context_.segment_bytes, &packet_.tag})
    archive.value(*field);
  archive.value(packet_.bytes, kMaxFrameBytes);
  for (bool* const field :
       {&packet_.segmented, &packet_.ip_checksum, &packet_.tcp_checksum, &packet_.tagged, &packet_.too_long})
    archive.value(*field);
  backlog_.serialize(archive);
  for (const Clock::TimerId timer : {transmit_timer_, receive_timer_})
    serialize_timer(archive, clock_, timer);
}

std::string E1000::debug_dump() const {
  return fmt::format(
             "ctrl={:08x} rctl={:08x} tctl={:08x} icr={:08x} ims={:08x} rx {:x}:{:x}/{:x} tx {:x}:{:x}/{:x} "
             "link={}\n",
             reg(kCtrl), reg(kRctl), reg(kTctl), reg(kIcr), reg(kIms), reg(kRdbal), reg(kRdh), reg(kRdt),
             reg(kTdbal), reg(kTdh), reg(kTdt), link_) +
         PciFunction::debug_dump();
}

}  // namespace reprise::devices
