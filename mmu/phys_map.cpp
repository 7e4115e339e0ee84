// Regions are kept as given; every change rebuilds the flat list, which is sorted, disjoint and holds at each
// address the region of the highest priority. Lookups only see the flat list.
#include "mmu/phys_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/bits.h"

namespace reprise::mmu {

namespace {

constexpr u64 kPhysLimit = u64{1} << 52;  // SDM 3A 4.1.4: MAXPHYADDR is at most 52

bool overlap(u64 a, u64 a_bytes, u64 b, u64 b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

u64 load_bytes_as_u64(const u8* host, unsigned bytes) {
  u64 value = 0;
  for (unsigned i = 0; i < bytes; ++i) value |= u64{host[i]} << (8 * i);
  return value;
}

void store_bytes_of_u64(u8* host, unsigned bytes, u64 value) {
  for (unsigned i = 0; i < bytes; ++i) host[i] = static_cast<u8>(value >> (8 * i));
}

}  // namespace

Result<Done> PhysMap::add_ram(std::string name, u64 phys, u64 bytes, u64 ram_offset, int priority) {
  if (ram_offset > ram_.bytes() || bytes > ram_.bytes() - ram_offset || ram_offset % kPageBytes != 0)
    return Error{fmt::format("memory region {}: RAM offset {:#x}+{:#x} is outside the {:#x} bytes of RAM",
                             name, ram_offset, bytes, ram_.bytes())};
  return add(
      {std::move(name), phys, bytes, Kind::Ram, priority, ram_.host() + ram_offset, ram_offset, nullptr});
}

Result<Done> PhysMap::add_rom(std::string name, u64 phys, u64 bytes, u8* host, int priority) {
  return add({std::move(name), phys, bytes, Kind::Rom, priority, host, 0, nullptr});
}

Result<Done> PhysMap::add_mmio(std::string name, u64 phys, u64 bytes, MmioHandler& handler, int priority) {
  return add({std::move(name), phys, bytes, Kind::Mmio, priority, nullptr, 0, &handler});
}

Result<Done> PhysMap::add(Region region) {
  if (region.bytes == 0 || region.phys >= kPhysLimit || region.bytes > kPhysLimit - region.phys)
    return Error{fmt::format("memory region {}: {:#x}+{:#x} is empty or beyond 52 address bits", region.name,
                             region.phys, region.bytes)};
  const bool by_page = region.kind != Kind::Mmio;
  if (by_page && (region.phys % kPageBytes != 0 || region.bytes % kPageBytes != 0))
    return Error{fmt::format("memory region {}: {:#x}+{:#x} is not made of whole pages", region.name,
                             region.phys, region.bytes)};
  for (const Region& other : regions_) {
    if (other.name == region.name) return Error{fmt::format("memory region {} exists already", region.name)};
    if (other.priority == region.priority && overlap(region.phys, region.bytes, other.phys, other.bytes))
      return Error{fmt::format("memory regions {} and {} overlap at priority {}", region.name, other.name,
                               region.priority)};
    const bool both_ram = other.kind == Kind::Ram && region.kind == Kind::Ram;
    if (both_ram && overlap(region.ram_offset, region.bytes, other.ram_offset, other.bytes) &&
        region.phys - region.ram_offset != other.phys - other.ram_offset)
      return Error{
          fmt::format("memory regions {} and {} map the same RAM at two addresses", region.name, other.name)};
  }
  regions_.push_back(std::move(region));
  flatten();
  return Done{};
}

bool PhysMap::remove(std::string_view name) {
  const auto found =
      std::find_if(regions_.begin(), regions_.end(), [&](const Region& r) { return r.name == name; });
  if (found == regions_.end()) return false;
  regions_.erase(found);
  flatten();
  return true;
}

void PhysMap::mirror(const PhysMap& other) {
  regions_ = other.regions_;
  for (Region& region : regions_)
    if (region.kind == Kind::Ram) region.host = ram_.host() + region.ram_offset;
  flatten();
}

std::optional<u64> PhysMap::phys_of_ram(u64 offset) const {
  for (const Region& region : regions_) {
    const u64 distance = offset - region.ram_offset;
    if (region.kind == Kind::Ram && distance < region.bytes) return region.phys + distance;
  }
  return std::nullopt;
}

void PhysMap::flatten() {
  ++version_;
  std::vector<u64> edges;
  for (const Region& region : regions_) {
    edges.push_back(region.phys);
    edges.push_back(region.phys + region.bytes);
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());

  flat_.clear();
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const Region* top = nullptr;
    for (const Region& region : regions_) {
      const bool covers = region.phys <= edges[i] && edges[i] < region.phys + region.bytes;
      if (covers && (!top || region.priority > top->priority)) top = &region;
    }
    if (!top) continue;
    if (!flat_.empty() && flat_.back().region == top && flat_.back().end == edges[i])
      flat_.back().end = edges[i + 1];
    else
      flat_.push_back({edges[i], edges[i + 1], top});
  }

  ram_ranges_ = {};
  for (const Flat& flat : flat_) {
    if (flat.region->kind != Kind::Ram) continue;
    RamRange range{flat.phys, flat.end - flat.phys, flat.region->host + (flat.phys - flat.region->phys)};
    for (RamRange& larger : ram_ranges_)
      if (range.bytes > larger.bytes) std::swap(range, larger);
  }
}

PhysMap::Target PhysMap::find(u64 phys) const {
  for (const RamRange& range : ram_ranges_) {
    const u64 offset = phys - range.phys;
    if (offset < range.bytes) {
      u8* host = range.host + offset;
      return {Kind::Ram, host, static_cast<u64>(host - ram_.host()), nullptr, 0, range.bytes - offset};
    }
  }
  // The first flat range that ends beyond phys.
  const auto next = std::upper_bound(flat_.begin(), flat_.end(), phys,
                                     [](u64 address, const Flat& flat) { return address < flat.end; });
  Target target;
  if (next == flat_.end() || phys < next->phys) {
    const u64 end = next == flat_.end() ? ~u64{0} : next->phys;
    target.bytes_left = std::max<u64>(end - phys, 1);
    return target;
  }
  const Region& region = *next->region;
  const u64 offset = phys - region.phys;
  target.kind = region.kind;
  target.bytes_left = next->end - phys;
  if (region.kind == Kind::Mmio) {
    target.handler = region.handler;
    target.offset = offset;
  } else {
    target.host = region.host + offset;
    if (region.kind == Kind::Ram) target.ram_offset = region.ram_offset + offset;
  }
  return target;
}

// The widest piece of at most `bytes` bytes that stays in the range and, for MMIO, is naturally aligned.
Width PhysMap::piece_width(const Target& target, u64 phys, unsigned bytes) const {
  const u64 position = target.kind == Kind::Mmio ? target.offset : phys;
  unsigned width = 8;
  while (width > bytes || width > target.bytes_left || position % width != 0) width /= 2;
  return static_cast<Width>(width);
}

u64 PhysMap::read(const Target& target, Width width) {
  switch (target.kind) {
    case Kind::Ram:
    case Kind::Rom: return load_bytes_as_u64(target.host, width_bytes(width));
    case Kind::Mmio:
      if (tap_ != nullptr) [[unlikely]]
        return tap_->mmio_read(*target.handler, target.offset, width) & width_mask(width);
      return target.handler->mmio_read(target.offset, width) & width_mask(width);
    case Kind::Unmapped: break;
  }
  ++unmapped_reads_;
  return width_mask(width);
}

void PhysMap::write(const Target& target, Width width, u64 value) {
  switch (target.kind) {
    case Kind::Ram:
      ram_.mark_written(target.ram_offset);
      store_bytes_of_u64(target.host, width_bytes(width), value);
      return;
    case Kind::Mmio:
      if (tap_ != nullptr) [[unlikely]]
        return tap_->mmio_write(*target.handler, target.offset, width, value & width_mask(width));
      target.handler->mmio_write(target.offset, width, value & width_mask(width));
      return;
    case Kind::Rom:
    case Kind::Unmapped: break;
  }
  ++unmapped_writes_;
}

u64 PhysMap::read(u64 phys, Width width) {
  u64 value = 0;
  for (unsigned done = 0; done < width_bytes(width);) {
    const Target target = find(phys + done);
    const Width piece = piece_width(target, phys + done, width_bytes(width) - done);
    value |= read(target, piece) << (8 * done);
    done += width_bytes(piece);
  }
  return value;
}

void PhysMap::write(u64 phys, Width width, u64 value) {
  for (unsigned done = 0; done < width_bytes(width);) {
    const Target target = find(phys + done);
    const Width piece = piece_width(target, phys + done, width_bytes(width) - done);
    write(target, piece, value >> (8 * done));
    done += width_bytes(piece);
  }
}

bool PhysMap::read_bytes(u64 phys, std::span<u8> into) {
  bool all_memory = true;
  while (!into.empty()) {
    const Target target = find(phys);
    const u64 count = std::min<u64>(target.bytes_left, into.size());
    if (target.host) {
      std::memcpy(into.data(), target.host, count);
    } else {
      std::memset(into.data(), 0xff, count);
      all_memory = false;
    }
    phys += count;
    into = into.subspan(count);
  }
  return all_memory;
}

bool PhysMap::write_bytes(u64 phys, std::span<const u8> from) {
  if (tap_ != nullptr) [[unlikely]]
    tap_->ram_written(phys, from);
  bool all_ram = true;
  while (!from.empty()) {
    const Target target = find(phys);
    const u64 count = std::min<u64>(target.bytes_left, from.size());
    if (target.kind == Kind::Ram) {
      for (u64 page = target.ram_offset & kPageMask; page < target.ram_offset + count; page += kPageBytes)
        ram_.mark_written(page);
      std::memcpy(target.host, from.data(), count);
    } else {
      all_ram = false;
    }
    phys += count;
    from = from.subspan(count);
  }
  return all_ram;
}

void PhysMap::write_ram(u64 ram_offset, std::span<const u8> from) {
  if (tap_ != nullptr) [[unlikely]]
    tap_->ram_offset_written(ram_offset, from);
  for (u64 page = ram_offset & kPageMask; page < ram_offset + from.size(); page += kPageBytes)
    ram_.mark_written(page);
  std::memcpy(ram_.host() + ram_offset, from.data(), from.size());
}

u64 PhysMap::read_entry(u64 phys, unsigned bytes) {
  if (const u8* host = ram_host(phys, bytes))
    return bytes == 8 ? read_unaligned<u64>(host) : u64{read_unaligned<u32>(host)};
  return read(phys, static_cast<Width>(bytes));
}

void PhysMap::write_entry(u64 phys, unsigned bytes, u64 value) {
  write(phys, static_cast<Width>(bytes), value);
}

std::string_view PhysMap::kind_name(Kind kind) {
  switch (kind) {
    case Kind::Ram: return "ram";
    case Kind::Rom: return "rom";
    case Kind::Mmio: return "mmio";
    case Kind::Unmapped: break;
  }
  return "unmapped";
}

std::vector<PhysMap::Range> PhysMap::ranges() const {
  std::vector<Range> ranges;
  for (const Flat& flat : flat_)
    ranges.push_back({flat.phys, flat.end - 1, flat.region->kind, flat.region->name});
  return ranges;
}

std::string PhysMap::dump() const {
  std::string text;
  for (const Range& range : ranges())
    text += fmt::format("{:016x}-{:016x} {:4} {}\n", range.first_phys, range.last_phys, kind_name(range.kind),
                        range.name);
  return text;
}

}  // namespace reprise::mmu
