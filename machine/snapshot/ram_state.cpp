#include "machine/snapshot/ram_state.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/zeros.h"

namespace reprise::machine {
namespace {

// {page number: u64, 4 KiB} in ascending order, then:
constexpr u64 kEnd = ~u64{0};
using Page = std::array<u8, kPageBytes>;

void put_page(mmu::Ram& ram, u64 page, const Page& content) {
  u8* const host = ram.host() + page * kPageBytes;
  if (std::memcmp(host, content.data(), kPageBytes) == 0) return;
  ram.mark_written(page * kPageBytes);
  std::memcpy(host, content.data(), kPageBytes);
}

}  // namespace

void save_ram(StateWriter& writer, const mmu::Ram& ram) {
  writer.begin("ram");
  // What was never written is zero.
  ram.for_each_written_since(0, [&](u64 page) {
    const std::span<const u8> content(ram.host() + page * kPageBytes, kPageBytes);
    if (all_zero(content)) return;
    writer.number(page);
    writer.bytes(content);
  });
  writer.number(kEnd);
  writer.end();
}

void load_ram(StateReader& reader, mmu::Ram& ram) {
  static constexpr Page kZeros{};
  const u64 pages = ram.bytes() / kPageBytes;
  reader.begin("ram");
  Page content;
  u64 next = 0;  // pages below are done
  while (reader.ok()) {
    const u64 page = reader.number();
    const u64 zeros_end = std::min(page, pages);
    for (; next < zeros_end; ++next)
      if (ram.written_since(0, next * kPageBytes)) put_page(ram, next, kZeros);
    if (page == kEnd) break;
    if (page != next || page >= pages) {
      reader.fail("It has pages of memory that this machine has not, or in the wrong order.");
      break;
    }
    reader.bytes(content);
    if (reader.ok()) put_page(ram, page, content);
    ++next;
  }
  reader.end();
}

}  // namespace reprise::machine
