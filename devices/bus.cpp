#include "devices/bus.h"

namespace reprise::devices {
namespace {

constexpr u32 kPorts = 0x10000;

/// `bytes` is 1 to 4.
constexpr Width widest_within(unsigned bytes) {
  return bytes >= 4 ? Width::Dword : bytes >= 2 ? Width::Word : Width::Byte;
}

}  // namespace

std::string_view describe(PioMapError error) {
  switch (error) {
    case PioMapError::EmptyRange: return "the port range is empty";
    case PioMapError::PastLastPort: return "the port range ends past FFFFh";
    case PioMapError::Overlap: return "the port range overlaps one that is already mapped";
  }
  return "unknown";
}

PioBus::PioBus() : mapping_of_port_(kPorts, kUnmapped), mappings_(1) {}

Result<Done, PioMapError> PioBus::map(PioRange range, PioHandler& handler) {
  if (range.count == 0) return PioMapError::EmptyRange;
  if (range.count > kPorts - range.first) return PioMapError::PastLastPort;
  for (u32 i = 0; i < range.count; ++i)
    if (mapping_of_port_[range.first + i] != kUnmapped) return PioMapError::Overlap;

  u16 index = 1;
  while (index < mappings_.size() && mappings_[index].handler) ++index;
  if (index == mappings_.size()) mappings_.emplace_back();
  mappings_[index] = {range, &handler};
  for (u32 i = 0; i < range.count; ++i) mapping_of_port_[range.first + i] = index;
  return Done{};
}

void PioBus::unmap(const PioHandler& handler) {
  for (std::size_t index = 1; index < mappings_.size(); ++index) {
    Mapping& mapping = mappings_[index];
    if (mapping.handler != &handler) continue;
    for (u32 i = 0; i < mapping.range.count; ++i) mapping_of_port_[mapping.range.first + i] = kUnmapped;
    mapping = {};
  }
}

Width PioBus::step(u32 port, Width width) const {
  const u16 index = mapping_of_port_[port];
  if (index == kUnmapped) return Width::Byte;
  const PioRange& range = mappings_[index].range;
  if (port + width_bytes(width) > range.first + range.count) return Width::Byte;
  return width < range.widest ? width : range.widest;
}

u32 PioBus::read(u16 port, Width width) {
  u32 value = 0;
  for (unsigned done = 0; done < width_bytes(width);) {
    const u32 at = u32{port} + done;
    Width piece = Width::Byte;
    u32 part = 0xff;
    if (at < kPorts) {
      piece = step(at, widest_within(width_bytes(width) - done));
      if (const u16 index = mapping_of_port_[at]; index != kUnmapped) {
        const Mapping mapping = mappings_[index];
        part = mapping.handler->pio_read(static_cast<u16>(at - mapping.range.first), piece);
        part &= static_cast<u32>(width_mask(piece));
      } else {
        ++unmapped_reads_;
      }
    } else {
      ++unmapped_reads_;
    }
    value |= part << (8 * done);
    done += width_bytes(piece);
  }
  return value;
}

std::size_t PioBus::read_ahead(u16 port, Width width, std::span<u8> into) {
  const Mapping& mapping = mappings_[mapping_of_port_[port]];
  if (!mapping.handler || !streams(port) || step(port, width) != width) return 0;
  return mapping.handler->pio_read_ahead(static_cast<u16>(port - mapping.range.first), width, into);
}

std::size_t PioBus::write_ahead(u16 port, Width width, std::span<const u8> from) {
  const Mapping& mapping = mappings_[mapping_of_port_[port]];
  if (!mapping.handler || !streams(port) || step(port, width) != width) return 0;
  return mapping.handler->pio_write_ahead(static_cast<u16>(port - mapping.range.first), width, from);
}

void PioBus::write(u16 port, Width width, u32 value) {
  for (unsigned done = 0; done < width_bytes(width);) {
    const u32 at = u32{port} + done;
    Width piece = Width::Byte;
    if (at < kPorts && mapping_of_port_[at] != kUnmapped) {
      piece = step(at, widest_within(width_bytes(width) - done));
      const Mapping mapping = mappings_[mapping_of_port_[at]];
      const u32 part = (value >> (8 * done)) & static_cast<u32>(width_mask(piece));
      mapping.handler->pio_write(static_cast<u16>(at - mapping.range.first), piece, part);
    } else {
      ++unmapped_writes_;
    }
    done += width_bytes(piece);
  }
}

}  // namespace reprise::devices
