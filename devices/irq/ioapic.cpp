#include "devices/irq/ioapic.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Memory-mapped registers, datasheet 3.1; EOI from the ICH datasheets.
constexpr u64 kIoRegSel = 0x00;
constexpr u64 kIoWin = 0x10;
constexpr u64 kEoi = 0x40;

// Indirect registers, datasheet 3.2.
constexpr u8 kIoApicId = 0x00;
constexpr u8 kIoApicVer = 0x01;
constexpr u8 kIoApicArb = 0x02;
constexpr u8 kIoRedTbl = 0x10;

constexpr u32 kVersion = 0x20 | (IoApic::kPins - 1) << 16;

// Redirection entry, datasheet 3.2.4.
constexpr u64 kRemoteIrr = u64{1} << 14;
constexpr u64 kLevel = u64{1} << 15;
constexpr u64 kMasked = u64{1} << 16;
constexpr u64 kWritable = 0xff00'0000'0001'afff;  // all but delivery status and remote IRR

// Level is a matter of fixed and lowest-priority delivery; the other modes are edges whatever the bit says.
bool is_level(u64 entry) {
  const auto mode = static_cast<DeliveryMode>(field(entry, 8, 3));
  return (entry & kLevel) && (mode == DeliveryMode::Fixed || mode == DeliveryMode::LowestPriority);
}

}  // namespace

void IoApic::reset(ResetKind) {
  entries_.fill(kMasked);
  select_ = 0;
  id_ = 0;
}

bool IoApic::may_send_unmaskable() const {
  return std::ranges::any_of(entries_, [](u64 entry) {
    return (entry & kMasked) == 0 && is_unmaskable(static_cast<DeliveryMode>(field(entry, 8, 3)));
  });
}

void IoApic::set_irq(unsigned line, bool level) {
  if (line >= kPins) return;
  const u32 mask = 1u << line;
  const bool was = (lines_ & mask) != 0;
  if (level == was) return;
  lines_ ^= mask;
  if (is_level(entries_[line])) {
    update_level(line);
  } else if (level &&
             !(entries_[line] & kMasked)) {  // an edge on a masked pin is not held (datasheet 3.2.4, bit 16)
    send(line);
  }
}

void IoApic::update_level(unsigned pin) {
  u64& entry = entries_[pin];
  if (!is_level(entry) || !bit(lines_, pin) || (entry & (kMasked | kRemoteIrr))) return;
  entry |= kRemoteIrr;
  send(pin);
}

void IoApic::send(unsigned pin) {
  const u64 entry = entries_[pin];
  ApicMessage message;
  message.destination = widen_apic_destination(static_cast<u8>(field(entry, 56, 8)));
  message.destination_mode = bit(entry, 11) ? DestinationMode::Logical : DestinationMode::Physical;
  message.delivery_mode = static_cast<DeliveryMode>(field(entry, 8, 3));
  if (message.delivery_mode == DeliveryMode::StartUp || message.delivery_mode == DeliveryMode::RemoteRead)
    return;
  message.trigger_mode = is_level(entry) ? TriggerMode::Level : TriggerMode::Edge;
  message.vector = static_cast<u8>(entry);
  bus_.deliver(message);
}

void IoApic::end_of_interrupt(u8 vector) {
  for (unsigned pin = 0; pin < kPins; ++pin) {
    u64& entry = entries_[pin];
    if (!(entry & kRemoteIrr) || static_cast<u8>(entry) != vector) continue;
    entry &= ~kRemoteIrr;
    update_level(pin);
  }
}

void IoApic::write_entry(unsigned pin, u64 entry) {
  const u64 remote_irr = entries_[pin] & kRemoteIrr;
  entries_[pin] = (entry & kWritable) | remote_irr;
  if (!is_level(entries_[pin])) entries_[pin] &= ~kRemoteIrr;
  update_level(pin);
}

u32 IoApic::read_register() const {
  switch (select_) {
    case kIoApicId:
    case kIoApicArb: return u32{id_} << 24;
    case kIoApicVer: return kVersion;
    default: break;
  }
  const unsigned index = static_cast<unsigned>(select_) - kIoRedTbl;
  if (select_ < kIoRedTbl || index >= 2 * kPins) return 0;
  return static_cast<u32>(entries_[index / 2] >> (index & 1 ? 32 : 0));
}

void IoApic::write_register(u32 value) {
  if (select_ == kIoApicId) {
    id_ = static_cast<u8>(field(value, 24, 4));
    return;
  }
  const unsigned index = static_cast<unsigned>(select_) - kIoRedTbl;
  if (select_ < kIoRedTbl || index >= 2 * kPins) return;
  const u64 old = entries_[index / 2];
  const u64 entry = index & 1 ? (old & 0xffff'ffff) | u64{value} << 32 : (old & ~u64{0xffff'ffff}) | value;
  write_entry(index / 2, entry);
}

// Registers are dwords; narrower reads see their low bytes, and wider ones zeros above.
u64 IoApic::mmio_read(u64 offset, Width width) {
  switch (offset) {
    case kIoRegSel: return select_;
    case kIoWin: return read_register() & width_mask(width);
    default: return 0;
  }
}

void IoApic::mmio_write(u64 offset, Width width, u64 value) {
  switch (offset) {
    case kIoRegSel: select_ = static_cast<u8>(value); break;
    case kIoWin:
      if (width >= Width::Dword) write_register(static_cast<u32>(value));
      break;
    case kEoi: end_of_interrupt(static_cast<u8>(value)); break;
    default: break;
  }
}

void IoApic::serialize(Archive& archive) {
  archive.tag("ioapic");
  archive.value(entries_);
  archive.value(lines_);
  archive.value(select_);
  archive.value(id_);
}

std::string IoApic::debug_dump() const {
  std::string text = fmt::format("lines={:06x}\n", lines_);
  for (unsigned pin = 0; pin < kPins; ++pin)
    if (entries_[pin] != kMasked) text += fmt::format("pin {:2}: {:016x}\n", pin, entries_[pin]);
  return text;
}

}  // namespace reprise::devices
