// Guest RAM as one anonymous host mapping. The host commits pages as the guest touches them.
#include "mmu/ram.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "common/bits.h"

namespace reprise::mmu {

namespace {

// Guest large pages and host huge pages fall together when the block starts on a 2 MiB boundary.
constexpr u64 kHugePageBytes = u64{2} << 20;
constexpr u64 kMaxRamBytes = u64{1} << 42;

}  // namespace

Result<std::unique_ptr<Ram>> Ram::create(u64 bytes) {
  if (bytes == 0 || bytes % kPageBytes != 0 || bytes > kMaxRamBytes)
    return Error{fmt::format("guest RAM of {} bytes: give a multiple of 4096 up to 4 TiB", bytes)};
  const u64 mapping_bytes = align_up(bytes, kHugePageBytes) + kHugePageBytes;
  void* mapping = mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return Error{
        fmt::format("cannot reserve {} MiB of host memory for guest RAM: {}", bytes >> 20, strerror(errno))};
  u8* base = static_cast<u8*>(mapping);
  const u64 skipped = align_up(reinterpret_cast<u64>(base), kHugePageBytes) - reinterpret_cast<u64>(base);
  advise_huge_pages(base + skipped, bytes);
  return std::unique_ptr<Ram>(new Ram(base, mapping_bytes, base + skipped, bytes));
}

void Ram::advise_huge_pages([[maybe_unused]] u8* host, [[maybe_unused]] u64 bytes) {
#ifdef MADV_HUGEPAGE
  // Advice only: a host without huge pages runs the same, slower.
  (void)madvise(host, align_up(bytes, kHugePageBytes), MADV_HUGEPAGE);
#endif
}

Ram::Ram(u8* mapping, u64 mapping_bytes, u8* host, u64 bytes)
    : mapping_(mapping),
      mapping_bytes_(mapping_bytes),
      host_(host),
      bytes_(bytes),
      page_epoch_(align_up(bytes >> kPageShift, kGroupPages)),
      group_epoch_(page_epoch_.size() / kGroupPages) {}

Ram::~Ram() { munmap(mapping_, mapping_bytes_); }

Result<Done> Ram::clear() {
  for_each_written_since(0, [&](u64 page) { mark_written(page << kPageShift); });
  if (mmap(host_, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
           0) == MAP_FAILED)
    return Error{
        fmt::format("cannot reserve {} MiB of host memory for guest RAM: {}", bytes_ >> 20, strerror(errno))};
  advise_huge_pages(host_, bytes_);
  return Done{};
}

Result<Done> Ram::map_file(u64 offset, u64 bytes, int fd, u64 file_offset) {
  if (mmap(host_ + offset, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
           static_cast<off_t>(file_offset)) == MAP_FAILED)
    return Error{
        fmt::format("the host cannot map {} MiB of a file as guest RAM: {}", bytes >> 20, strerror(errno))};
  for (u64 done = 0; done < bytes; done += kPageBytes) mark_written(offset + done);
  return Done{};
}

u64 Ram::end_epoch() {
  for (WriteTagHolder* holder : holders_) holder->drop_all_write_tags();
  return epoch_++;
}

}  // namespace reprise::mmu
