#include "devices/dma/dma8237.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Registers behind the addresses and counts.
constexpr unsigned kStatusCommand = 8;
constexpr unsigned kRequest = 9;
constexpr unsigned kSingleMask = 10;
constexpr unsigned kMode = 11;
constexpr unsigned kClearFlipFlop = 12;
constexpr unsigned kMasterClear = 13;  // reads the temporary register
constexpr unsigned kClearMask = 14;
constexpr unsigned kAllMasks = 15;

constexpr u8 kControllerDisable = 0x04;  // command
constexpr u8 kSetBit = 0x04;             // single mask, request
// Mode.
constexpr u8 kModeDecrement = 0x20;
constexpr u8 kModeAutoInitialize = 0x10;
constexpr u8 kModeType = 0x0c;
constexpr u8 kTypeWrite = 0x04;  // to memory
constexpr u8 kTypeRead = 0x08;   // from memory
constexpr u8 kModeKind = 0xc0;
constexpr u8 kKindCascade = 0xc0;

constexpr unsigned kCascadeChannel = 4;
/// Ports of the page registers, less 80h.
constexpr u8 kPageOfChannel[] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};

constexpr u16 with_byte(u16 word, bool high, u8 value) {
  return static_cast<u16>(high ? (word & 0x00ff) | value << 8 : (word & 0xff00) | value);
}

}  // namespace

Dma8237Pair::Dma8237Pair(DmaPort& memory)
    : memory_(memory),
      byte_ports_(*this, &Dma8237Pair::read_byte_controller, &Dma8237Pair::write_byte_controller),
      word_ports_(*this, &Dma8237Pair::read_word_controller, &Dma8237Pair::write_word_controller),
      page_ports_(*this, &Dma8237Pair::read_page, &Dma8237Pair::write_page) {}

void Dma8237Pair::Controller::master_clear() {
  command = request = terminal_counts = 0;
  high_byte_next = false;
  for (Channel& channel : channels) channel.masked = true;
}

u8 Dma8237Pair::read_controller(Controller& controller, unsigned reg) {
  if (reg < kStatusCommand) {
    const Channel& channel = controller.channels[reg >> 1];
    const u16 word = reg & 1 ? channel.count : channel.address;
    const bool high = std::exchange(controller.high_byte_next, !controller.high_byte_next);
    return static_cast<u8>(high ? word >> 8 : word);
  }
  switch (reg) {
    case kStatusCommand: {
      const u8 reached = std::exchange(controller.terminal_counts, u8{0});
      return static_cast<u8>(controller.request << 4 | reached);
    }
    case kAllMasks: {
      u8 masks = 0xf0;
      for (unsigned i = 0; i < 4; ++i) masks |= static_cast<u8>(controller.channels[i].masked << i);
      return masks;
    }
    default: return 0;  // write-only, and the temporary register of memory-to-memory transfers
  }
}

void Dma8237Pair::write_controller(Controller& controller, unsigned reg, u8 value) {
  if (reg < kStatusCommand) {
    Channel& channel = controller.channels[reg >> 1];
    u16& base = reg & 1 ? channel.base_count : channel.base_address;
    base = with_byte(base, controller.high_byte_next, value);
    (reg & 1 ? channel.count : channel.address) = base;
    controller.high_byte_next = !controller.high_byte_next;
    return;
  }
  Channel& channel = controller.channels[value & 3];
  switch (reg) {
    case kStatusCommand: controller.command = value; break;
    case kRequest: {
      const u8 bit_of_channel = static_cast<u8>(1u << (value & 3));
      if (value & kSetBit)
        controller.request |= bit_of_channel;
      else
        controller.request &= static_cast<u8>(~bit_of_channel);
      break;
    }
    case kSingleMask: channel.masked = (value & kSetBit) != 0; break;
    case kMode: channel.mode = value & 0xfc; break;
    case kClearFlipFlop: controller.high_byte_next = false; break;
    case kMasterClear: controller.master_clear(); break;
    case kClearMask:
    case kAllMasks:
      for (unsigned i = 0; i < 4; ++i) controller.channels[i].masked = reg == kAllMasks && bit(value, i);
      break;
    default: break;
  }
}

bool Dma8237Pair::lets_through(unsigned channel) const {
  const Controller& controller = controllers_[channel >> 2];
  const Channel& own = controller.channels[channel & 3];
  if (channel == kCascadeChannel || own.masked || (controller.command & kControllerDisable)) return false;
  if ((own.mode & kModeKind) == kKindCascade) return false;
  if (channel > kCascadeChannel) return true;
  const Channel& cascade = controllers_[1].channels[0];
  return !cascade.masked && !(controllers_[1].command & kControllerDisable) &&
         (cascade.mode & kModeKind) == kKindCascade;
}

u64 Dma8237Pair::phys_of(unsigned channel) const {
  const u64 page = pages_[kPageOfChannel[channel]];
  const u64 address = controllers_[channel >> 2].channels[channel & 3].address;
  if (channel < kCascadeChannel) return page << 16 | address;
  return (page & 0xfe) << 16 | address << 1;  // the page register's bit 0 is address bit 16's no more
}

/// `units` bytes or words have passed.
void Dma8237Pair::count_units(Controller& controller, unsigned index, u32 units, bool& terminal_count) {
  Channel& channel = controller.channels[index];
  const u32 left = u32{channel.count} + 1;
  channel.address =
      static_cast<u16>(channel.mode & kModeDecrement ? channel.address - units : channel.address + units);
  channel.count = static_cast<u16>(channel.count - units);
  if (units < left) return;
  terminal_count = true;
  controller.terminal_counts |= static_cast<u8>(1u << index);
  controller.request &= static_cast<u8>(~(1u << index));
  if (channel.mode & kModeAutoInitialize) {
    channel.address = channel.base_address;
    channel.count = channel.base_count;
  } else {
    channel.masked = true;
  }
}

template <class Move>
IsaDmaTransfer Dma8237Pair::transfer(unsigned channel_number, u8 type, std::size_t size, Move&& move) {
  IsaDmaTransfer result;
  if (channel_number >= kChannels) return result;
  Controller& controller = controllers_[channel_number >> 2];
  const unsigned index = channel_number & 3;
  const Channel& channel = controller.channels[index];
  const u32 unit_bytes = channel_number < kCascadeChannel ? 1 : 2;
  while (size - result.bytes >= unit_bytes && !result.terminal_count && lets_through(channel_number)) {
    const bool down = (channel.mode & kModeDecrement) != 0;
    // Up to the count, the end of the 64 K units that the address counter covers, or one unit when it goes
    // down.
    const u32 units = std::min<u32>({static_cast<u32>((size - result.bytes) / unit_bytes), channel.count + 1u,
                                     down ? 1u : 0x10000u - channel.address});
    const std::size_t run_bytes = std::size_t{units} * unit_bytes;
    if ((channel.mode & kModeType) == type) move(phys_of(channel_number), result.bytes, run_bytes);
    result.bytes += static_cast<u32>(run_bytes);
    count_units(controller, index, units, result.terminal_count);
  }
  return result;
}

IsaDmaTransfer Dma8237Pair::dma_to_memory(unsigned channel, std::span<const u8> from) {
  return transfer(channel, kTypeWrite, from.size(), [&](u64 phys, std::size_t offset, std::size_t bytes) {
    memory_.dma_write(phys, from.subspan(offset, bytes));
  });
}

IsaDmaTransfer Dma8237Pair::dma_from_memory(unsigned channel, std::span<u8> into) {
  std::fill(into.begin(), into.end(), u8{0});
  return transfer(channel, kTypeRead, into.size(), [&](u64 phys, std::size_t offset, std::size_t bytes) {
    memory_.dma_read(phys, into.subspan(offset, bytes));
  });
}

void Dma8237Pair::enter_cascade_mode() {
  Channel& cascade = controllers_[1].channels[0];
  cascade.mode = kKindCascade;
  cascade.masked = false;
}

void Dma8237Pair::reset(ResetKind) {
  controllers_ = {};
  pages_ = {};
}

void Dma8237Pair::serialize(Archive& archive) {
  archive.tag("dma8237");
  for (Controller& controller : controllers_) {
    for (Channel& channel : controller.channels) {
      archive.value(channel.base_address);
      archive.value(channel.base_count);
      archive.value(channel.address);
      archive.value(channel.count);
      archive.value(channel.mode);
      archive.value(channel.masked);
    }
    archive.value(controller.command);
    archive.value(controller.request);
    archive.value(controller.terminal_counts);
    archive.value(controller.high_byte_next);
  }
  archive.value(pages_);
}

std::string Dma8237Pair::debug_dump() const {
  std::string text = fmt::format("post={:02x}\n", post_code());
  for (unsigned i = 0; i < kChannels; ++i) {
    const Channel& channel = controllers_[i >> 2].channels[i & 3];
    if (channel.masked) continue;
    text += fmt::format("channel {}: mode={:02x} phys={:06x} count={:04x}\n", i, channel.mode, phys_of(i),
                        channel.count);
  }
  return text;
}

}  // namespace reprise::devices
