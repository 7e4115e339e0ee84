#include "jit/x64/code_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace reprise::jit::x64 {

CodeArena::CodeArena(std::size_t bytes, std::size_t part_bytes)
    : bytes_(bytes),
      parts_(static_cast<unsigned>(std::clamp<std::size_t>(bytes / part_bytes, 1, kMaxParts))) {
  const int file = memfd_create("reprise-code", MFD_CLOEXEC);
  if (file < 0) return;
  void* rx = MAP_FAILED;
  void* rw = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    // Low addresses fit the 32-bit fields of jump tables.
    rx = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_32BIT, file, 0);
    rw = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (rx != MAP_FAILED && rw != MAP_FAILED) {
    // Better for the host's instruction TLB, where the system allows it for shared memory.
    madvise(rx, bytes, MADV_HUGEPAGE);
    rx_ = static_cast<u8*>(rx);
    rw_ = static_cast<u8*>(rw);
    return;
  }
  if (rx != MAP_FAILED) munmap(rx, bytes);
  if (rw != MAP_FAILED) munmap(rw, bytes);
}

CodeArena::~CodeArena() {
  if (rx_ == nullptr) return;
  munmap(rx_, bytes_);
  munmap(rw_, bytes_);
}

CodeImage CodeArena::image(std::vector<u8>& bytes) const {
  CodeImage image{parts_, part_, kept_, {}, {}, {}};
  std::ranges::copy(used_, image.used.begin());
  std::ranges::copy(used_cold_, image.used_cold.begin());
  bytes.clear();
  for_each_piece(image, [&](std::size_t offset, std::size_t count) {
    bytes.insert(bytes.end(), rw_ + offset, rw_ + offset + count);
  });
  image.bytes = bytes;
  return image;
}

bool CodeArena::restore(const CodeImage& image) {
  if (image.parts != parts_ || image.part >= parts_ || image.begin != kept_ || used_[0] != kept_)
    return false;
  std::size_t bytes = 0;
  for (unsigned part = 0; part < parts_; ++part) {
    const std::size_t begin = part == 0 ? kept_ : 0;
    if (image.used[part] < begin || image.used[part] > hot_part_bytes() ||
        image.used_cold[part] > cold_part_bytes())
      return false;
    bytes += image.used[part] - begin + image.used_cold[part];
  }
  if (bytes != image.bytes.size()) return false;
  const u8* from = image.bytes.data();
  for_each_piece(image, [&](std::size_t offset, std::size_t count) {
    std::memcpy(rw_ + offset, from, count);
    from += count;
  });
  part_ = image.part;
  std::ranges::copy(image.used, used_.begin());
  std::ranges::copy(image.used_cold, used_cold_.begin());
  return true;
}

}  // namespace reprise::jit::x64
