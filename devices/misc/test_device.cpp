#include "devices/misc/test_device.h"

#include <algorithm>

namespace reprise::devices {

TestDevice::TestDevice(const Lines& lines)
    : lines_(lines),
      data_ports_(*this, &TestDevice::read_data, &TestDevice::write_data),
      flush_ports_(*this, &TestDevice::read_nothing, &TestDevice::write_flush),
      byte_ports_(*this, &TestDevice::read_data, &TestDevice::write_data),
      irq_ports_(*this, &TestDevice::read_nothing, &TestDevice::write_irq) {}

void TestDevice::reset(ResetKind) {
  data_ = 0;
  for (u16 line = 0; line < kIrqLines; ++line) write_irq(line, Width::Byte, 0);
  std::fill(memory_.begin(), memory_.end(), u8{0});
}

void TestDevice::serialize(Archive& archive) {
  archive.tag("test_device");
  archive.value(data_);
  archive.value(levels_);
  for (u8& byte : memory_) archive.value(byte);
}

// --- Ports ---

u32 TestDevice::read_data(u16 offset, Width width) {
  return data_ >> (8 * (offset & 3)) & static_cast<u32>(width_mask(width));
}

void TestDevice::write_data(u16 offset, Width width, u32 value) {
  const unsigned shift = 8 * (offset & 3);
  const u32 mask = static_cast<u32>(width_mask(width)) << shift;
  data_ = (data_ & ~mask) | (value << shift & mask);
}

u32 TestDevice::read_nothing(u16, Width) { return 0; }
void TestDevice::write_flush(u16, Width, u32) {}

void TestDevice::write_irq(u16 offset, Width, u32 value) {
  const bool level = (value & 0xff) != 0;
  levels_ = (levels_ & ~(1u << offset)) | u32{level} << offset;
  lines_.at(offset).set(level);
}

// --- Memory ---

u64 TestDevice::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  for (u64 i = 0; i < width_bytes(width); ++i) value |= u64{memory_[(offset + i) % kMemoryBytes]} << (8 * i);
  return value;
}

void TestDevice::mmio_write(u64 offset, Width width, u64 value) {
  for (u64 i = 0; i < width_bytes(width); ++i)
    memory_[(offset + i) % kMemoryBytes] = static_cast<u8>(value >> (8 * i));
}

}  // namespace reprise::devices
