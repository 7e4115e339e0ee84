#include "jit/x64/code_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

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

}  // namespace reprise::jit::x64
