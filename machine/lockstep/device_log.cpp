#include "machine/lockstep/device_log.h"

#include <fmt/format.h>

namespace reprise::machine {

using Kind = DeviceEvent::Kind;

bool DeviceEvent::same_request(const DeviceEvent& other) const {
  const bool gives_value = kind == Kind::PortWrite || kind == Kind::MmioWrite || kind == Kind::ApicMsrWrite ||
                           kind == Kind::Cr8Write;
  return kind == other.kind && width == other.width && device == other.device && address == other.address &&
         retired == other.retired && (!gives_value || value == other.value);
}

std::string DeviceEvent::text() const {
  static constexpr const char* kNames[] = {"port read",        "port write",     "MMIO read", "MMIO write",
                                           "APIC MSR read",    "APIC MSR write", "CR8 read",  "CR8 write",
                                           "bus master write", "device's write", "x87 error"};
  return fmt::format("{} of {} byte{} at {:#x}, value {:#x}, after {} instructions",
                     kNames[static_cast<unsigned>(kind)], width_bytes(width), width == Width::Byte ? "" : "s",
                     address, value, retired);
}

template <class Access>
DeviceEvent Tap::record(DeviceEvent request, Access access) {
  // What bus masters do meanwhile comes behind it.
  const std::size_t index = log_.size();
  log_.push_back(request);
  mmu::Mmu& mmu = cpu_->mmu;
  const u64 map_version = mmu.phys_map().version();
  const u64 flushes = mmu.stats().flushes_all;
  access(request);
  // A map that changed: the second processor gets the new one before the next instruction.
  if (mmu.phys_map().version() != map_version || mmu.stats().flushes_all != flushes)
    cpu_->stop_requested = true;
  request.interrupt_pending = interrupts_.interrupt_pending();
  request.nmi_pending = cpu_->state.nmi_pending;
  request.smi_pending = cpu_->state.smi_pending;
  request.init_pending = cpu_->state.init_pending;
  request.after_init = cpu_->state.after_init;
  request.sipi_pending = cpu_->state.sipi_pending;
  request.sipi_vector = cpu_->state.sipi_vector;
  request.a20_pin = cpu_->state.a20_pin;
  request.stop_requested = cpu_->stop_requested;
  log_[index] = request;
  return request;
}

void Tap::replay_ram_writes() {
  mmu::PhysMap& map = cpu_->mmu.phys_map();
  for (; next_ < log_.size(); ++next_) {
    const DeviceEvent& event = log_[next_];
    if (event.kind == Kind::RamWrite) {
      map.write_bytes(event.address, event.bytes);
      cpu_->mmu.code_pages().written(event.address, event.bytes.size());
    } else if (event.kind == Kind::RamOffsetWrite) {
      map.write_ram(event.address, event.bytes);
      if (const std::optional<u64> phys = map.phys_of_ram(event.address))
        cpu_->mmu.code_pages().written(*phys, event.bytes.size());
    } else {
      return;
    }
  }
}

DeviceEvent Tap::replay(DeviceEvent request) {
  replay_ram_writes();
  const bool ended = next_ == log_.size();
  if (ended || !log_[next_].same_request(request)) {
    if (difference_.empty()) {
      difference_ = fmt::format("{} where the other engine made {}", request.text(),
                                ended ? "none" : log_[next_].text());
    }
    request.value = ~u64{0};
    return request;
  }
  const DeviceEvent answer = log_[next_++];
  replay_ram_writes();
  interrupt_pending_ = answer.interrupt_pending;
  cpu_->state.nmi_pending = answer.nmi_pending;
  cpu_->state.smi_pending = answer.smi_pending;
  cpu_->state.init_pending = answer.init_pending;
  cpu_->state.after_init = answer.after_init;
  cpu_->state.sipi_pending = answer.sipi_pending;
  cpu_->state.sipi_vector = answer.sipi_vector;
  cpu_->state.a20_pin = answer.a20_pin;
  cpu_->stop_requested = cpu_->stop_requested || answer.stop_requested;
  return answer;
}

u32 Tap::port_read(u16 port, Width width) {
  const DeviceEvent request{
      .kind = Kind::PortRead, .width = width, .address = port, .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay) return static_cast<u32>(replay(request).value);
  return static_cast<u32>(
      record(request, [&](DeviceEvent& event) { event.value = bus_.port_read(port, width); }).value);
}

void Tap::port_write(u16 port, Width width, u32 value) {
  const DeviceEvent request{.kind = Kind::PortWrite,
                            .width = width,
                            .address = port,
                            .value = value,
                            .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay)
    replay(request);
  else
    record(request, [&](DeviceEvent&) { bus_.port_write(port, width, value); });
}

bool Tap::apic_msr_read(u32 msr, u64& value) {
  const DeviceEvent request{.kind = Kind::ApicMsrRead, .address = msr, .retired = cpu_->retired_now()};
  const DeviceEvent answer =
      mode_ == Mode::Replay
          ? replay(request)
          : record(request, [&](DeviceEvent& event) { event.ok = bus_.apic_msr_read(msr, event.value); });
  if (answer.ok) value = answer.value;
  return answer.ok;
}

bool Tap::apic_msr_write(u32 msr, u64 value) {
  const DeviceEvent request{
      .kind = Kind::ApicMsrWrite, .address = msr, .value = value, .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay) return replay(request).ok;
  return record(request, [&](DeviceEvent& event) { event.ok = bus_.apic_msr_write(msr, value); }).ok;
}

bool Tap::x87_error(cpu::X87Error error) {
  const DeviceEvent request{
      .kind = Kind::X87Error, .address = static_cast<u64>(error), .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay) return replay(request).ok;
  return record(request, [&](DeviceEvent& event) { event.ok = bus_.x87_error(error); }).ok;
}

void Tap::stall(u64 ns) {
  // The second processor has no clock: it is stopped behind as many instructions as the first was.
  if (mode_ == Mode::Record) bus_.stall(ns);
}

u64 Tap::virtual_ns(u64 retired) {
  return bus_.virtual_ns(retired);  // a function of its argument until the machine moves on
}

u8 Tap::cr8() const {
  // The interface says const; the log is the tap's memory of having been asked.
  Tap& self = const_cast<Tap&>(*this);
  const DeviceEvent request{.kind = Kind::Cr8Read, .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay) return static_cast<u8>(self.replay(request).value);
  return static_cast<u8>(
      self.record(request, [&](DeviceEvent& event) { event.value = interrupts_.cr8(); }).value);
}

void Tap::set_cr8(u8 value) {
  const DeviceEvent request{.kind = Kind::Cr8Write, .value = value, .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay)
    replay(request);
  else
    record(request, [&](DeviceEvent&) { interrupts_.set_cr8(value); });
}

u64 Tap::mmio_read(MmioHandler& device, u64 offset, Width width) {
  const DeviceEvent request{.kind = Kind::MmioRead,
                            .width = width,
                            .device = &device,
                            .address = offset,
                            .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay) return replay(request).value;
  return record(request, [&](DeviceEvent& event) { event.value = device.mmio_read(offset, width); }).value;
}

void Tap::mmio_write(MmioHandler& device, u64 offset, Width width, u64 value) {
  const DeviceEvent request{.kind = Kind::MmioWrite,
                            .width = width,
                            .device = &device,
                            .address = offset,
                            .value = value,
                            .retired = cpu_->retired_now()};
  if (mode_ == Mode::Replay)
    replay(request);
  else
    record(request, [&](DeviceEvent&) { device.mmio_write(offset, width, value); });
}

void Tap::ram_written(u64 phys, std::span<const u8> bytes) {
  if (mode_ == Mode::Replay) return;
  log_.push_back({.kind = Kind::RamWrite, .address = phys, .bytes = {bytes.begin(), bytes.end()}});
}

void Tap::ram_offset_written(u64 ram_offset, std::span<const u8> bytes) {
  if (mode_ == Mode::Replay) return;
  log_.push_back(
      {.kind = Kind::RamOffsetWrite, .address = ram_offset, .bytes = {bytes.begin(), bytes.end()}});
}

}  // namespace reprise::machine
