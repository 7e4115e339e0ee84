#include "devices/pci/msix.h"

#include <fmt/format.h>

#include "common/check.h"
#include "devices/irq/apic.h"

namespace reprise::devices {
namespace {

constexpr unsigned kEntryBytes = 16;
// Words of an entry.
constexpr unsigned kAddressLow = 0;
constexpr unsigned kAddressHigh = 1;
constexpr unsigned kData = 2;
constexpr unsigned kVectorControl = 3;

}  // namespace

Msix::Msix(unsigned vectors, MsiSink& sink) : sink_(sink), table_(vectors) {
  CHECK(vectors >= 1 && vectors <= kMaxVectors);
  reset();
}

void Msix::reset() {
  for (Entry& entry : table_) entry.words = {0, 0, 0, kMasked};
  pending_ = 0;
  control_ = 0;
  bus_master_ = false;
}

bool Msix::may_send(unsigned vector) const {
  return enabled() && bus_master_ && !(control_ & kControlFunctionMask) &&
         !(table_[vector].words[kVectorControl] & kMasked);
}

bool Msix::may_send_unmaskable() const {
  for (unsigned vector = 0; vector < vectors(); ++vector) {
    const auto& words = table_[vector].words;
    if (may_send(vector) &&
        is_unmaskable_message(u64{words[kAddressHigh]} << 32 | words[kAddressLow], words[kData]))
      return true;
  }
  return false;
}

void Msix::raise(unsigned vector) {
  if (vector >= vectors() || !enabled()) return;
  pending_ |= u64{1} << vector;
  send_pending();
}

void Msix::set_control(u16 control, bool bus_master) {
  control_ = control & kControlWritable;
  bus_master_ = bus_master;
  if (!enabled()) pending_ = 0;
  send_pending();
}

void Msix::send_pending() {
  for (unsigned vector = 0; pending_ != 0 && vector < vectors(); ++vector) {
    if (!(pending_ >> vector & 1) || !may_send(vector)) continue;
    pending_ &= ~(u64{1} << vector);
    const Entry& entry = table_[vector];
    sink_.send_msi(u64{entry.words[kAddressHigh]} << 32 | entry.words[kAddressLow], entry.words[kData]);
  }
}

u32 Msix::read_dword(u64 offset) const {
  const u64 vector = offset / kEntryBytes;
  if (vector < table_.size()) return table_[vector].words[offset / 4 % 4];
  if (offset == kPendingOffset) return static_cast<u32>(pending_);
  if (offset == kPendingOffset + 4) return static_cast<u32>(pending_ >> 32);
  return 0;
}

// 6.8.2: software reads and writes dwords and qwords. Undefined: narrower reads give their bytes, narrower
// writes change nothing.
u64 Msix::mmio_read(u64 offset, Width width) {
  const u64 dword = read_dword(offset & ~u64{3});
  if (width == Width::Qword) return dword | u64{read_dword(offset + 4)} << 32;
  return dword >> (8 * (offset & 3)) & width_mask(width);
}

void Msix::mmio_write(u64 offset, Width width, u64 value) {
  if (width == Width::Qword) {
    mmio_write(offset, Width::Dword, value & 0xffff'ffff);
    return mmio_write(offset + 4, Width::Dword, value >> 32);
  }
  const u64 vector = offset / kEntryBytes;
  if (width != Width::Dword || vector >= table_.size()) return;
  static constexpr u32 kWritable[] = {~3u, ~0u, ~0u, kMasked};
  const unsigned word = offset / 4 % 4;
  table_[vector].words[word] = static_cast<u32>(value) & kWritable[word];
  if (word == kVectorControl) send_pending();
}

void Msix::serialize(Archive& archive) {
  archive.tag("msix");
  for (Entry& entry : table_) archive.value(entry.words);
  archive.value(pending_);
  archive.value(control_);
  archive.value(bus_master_);
  if (table_.size() < kMaxVectors) pending_ &= (u64{1} << table_.size()) - 1;
}

std::string Msix::debug_dump() const {
  std::string text = fmt::format("msix control={:04x} pending={:x}", control_, pending_);
  for (const Entry& entry : table_)
    text += fmt::format(" [{:08x}{:08x} {:x}{}]", entry.words[kAddressHigh], entry.words[kAddressLow],
                        entry.words[kData], entry.words[kVectorControl] & kMasked ? " masked" : "");
  return text + '\n';
}

}  // namespace reprise::devices
