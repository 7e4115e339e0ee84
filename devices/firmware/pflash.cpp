#include "devices/firmware/pflash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Commands.
constexpr u8 kReadArray = 0xff;
constexpr u8 kReadArrayToo = 0x00;  // as some drivers write it
constexpr u8 kReadIdentifier = 0x90;
constexpr u8 kReadQuery = 0x98;
constexpr u8 kReadStatus = 0x70;
constexpr u8 kClearStatus = 0x50;
constexpr u8 kProgram = 0x40;
constexpr u8 kProgramToo = 0x10;
constexpr u8 kErase = 0x20;
constexpr u8 kLockSetup = 0x60;
constexpr u8 kWriteBuffer = 0xe8;
constexpr u8 kConfirm = 0xd0;

// Status register.
constexpr u8 kReady = 0x80;
constexpr u8 kEraseError = 0x20;
constexpr u8 kProgramError = 0x10;

constexpr u32 kBufferBytes = 2048;
constexpr u8 kManufacturerIntel = 0x89;
constexpr u8 kDeviceCode = 0x18;

/// The CFI query table from 10h on.
std::array<u8, 0x22> query_table(u64 bytes) {
  const u64 blocks = bytes / Pflash::kBlockBytes - 1;
  u8 size_shift = 0;
  while ((u64{1} << size_shift) < bytes) ++size_shift;
  return {
      'Q',
      'R',
      'Y',
      0x01,
      0,
      0x31,
      0,
      0,
      0,
      0,
      0,  // 10h: identification, primary command set 0001h
      0x45,
      0x55,
      0,
      0,
      7,
      7,
      0x0a,
      0,
      4,
      4,
      4,
      0,  // 1Bh: voltages and times
      size_shift,
      0,
      0,
      0x0b,
      0,
      1,  // 27h: size, 8 bits wide, buffer of 2^11, one region
      static_cast<u8>(blocks),
      static_cast<u8>(blocks >> 8),  // 2Dh: blocks less one, of 256 * 16 bytes
      Pflash::kBlockBytes / 256,
      0,
      0,
  };
}

}  // namespace

void Pflash::reset(ResetKind) {
  mode_ = Mode::Array;
  status_ = 0;
  buffer_.clear();
}

void Pflash::serialize(Archive& archive) {
  archive.tag("pflash");
  archive.at_most(mode_, Mode::BufferConfirm);
  archive.value(status_);
  archive.value(buffer_offset_);
  archive.value(buffer_bytes_);
  archive.value(buffer_, kBufferBytes);
  const u64 size = content_.size();
  archive.value(content_, size);
  if (content_.size() != size) {
    content_.resize(size);
    archive.fail();
  }
}

std::string Pflash::debug_dump() const {
  return fmt::format("{} bytes, mode {}, status {:02x}", content_.size(), static_cast<unsigned>(mode_),
                     status_);
}

u64 Pflash::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) value |= u64{read_byte(offset + i)} << (8 * i);
  return value;
}

u8 Pflash::read_byte(u64 offset) const {
  switch (mode_) {
    case Mode::Array: return offset < content_.size() ? content_[offset] : 0xff;
    case Mode::Identifier:
      return (offset & 0xff) == 0 ? kManufacturerIntel : (offset & 0xff) == 1 ? kDeviceCode : 0;
    case Mode::Query: {
      const auto table = query_table(content_.size());
      const u64 index = (offset & 0xff) - 0x10;
      return index < table.size() ? table[index] : 0;
    }
    default: return status_;
  }
}

void Pflash::mmio_write(u64 offset, Width width, u64 value) {
  for (unsigned i = 0; i < width_bytes(width); ++i) {
    const u8 byte = static_cast<u8>(value >> (8 * i));
    const u64 at = offset + i;
    switch (mode_) {
      case Mode::Program:
        program(at, {&byte, 1});
        mode_ = Mode::Status;
        break;
      case Mode::EraseConfirm:
        if (byte == kConfirm)
          erase(at);
        else
          status_ |= kReady | kEraseError | kProgramError;
        mode_ = Mode::Status;
        break;
      case Mode::LockConfirm:
        status_ |= kReady;
        mode_ = Mode::Status;
        break;
      case Mode::BufferCount:
        buffer_.clear();
        buffer_bytes_ = u32{byte} + 1;
        buffer_offset_ = at;
        mode_ = Mode::BufferData;
        break;
      case Mode::BufferData:
        if (buffer_.empty()) buffer_offset_ = at;
        buffer_.push_back(byte);
        if (buffer_.size() >= std::min(buffer_bytes_, kBufferBytes)) mode_ = Mode::BufferConfirm;
        break;
      case Mode::BufferConfirm:
        if (byte == kConfirm)
          program(buffer_offset_, buffer_);
        else
          status_ |= kReady | kProgramError;
        mode_ = Mode::Status;
        break;
      default: command(byte, at); break;
    }
  }
}

void Pflash::command(u8 value, u64 offset) {
  switch (value) {
    case kReadStatus: mode_ = Mode::Status; break;
    case kClearStatus:
      // The mode stays: a driver finds out whether this is flash by the unchanged array byte.
      status_ = 0;
      break;
    case kReadIdentifier: mode_ = Mode::Identifier; break;
    case kReadQuery: mode_ = Mode::Query; break;
    case kProgram:
    case kProgramToo: mode_ = Mode::Program; break;
    case kErase: mode_ = Mode::EraseConfirm; break;
    case kLockSetup: mode_ = Mode::LockConfirm; break;
    case kWriteBuffer:
      status_ |= kReady;
      buffer_offset_ = offset;
      mode_ = Mode::BufferCount;
      break;
    case kReadArray:
    case kReadArrayToo:
    default: mode_ = Mode::Array; break;
  }
}

/// Programming only clears bits.
void Pflash::program(u64 offset, std::span<const u8> bytes) {
  status_ |= kReady;
  if (offset >= content_.size() || bytes.size() > content_.size() - offset) {
    status_ |= kProgramError;
    return;
  }
  std::vector<u8> result(bytes.begin(), bytes.end());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] &= content_[offset + i];
  change(offset, result);
}

void Pflash::erase(u64 offset) {
  status_ |= kReady;
  if (offset >= content_.size()) {
    status_ |= kEraseError;
    return;
  }
  change(align_down(offset, kBlockBytes), std::vector<u8>(kBlockBytes, 0xff));
}

void Pflash::change(u64 offset, std::span<const u8> bytes) {
  std::copy(bytes.begin(), bytes.end(), content_.begin() + static_cast<std::ptrdiff_t>(offset));
  if (save_ && !save_(offset, bytes)) {
    ++failed_saves_;
    status_ |= kProgramError;
  }
}

}  // namespace reprise::devices
