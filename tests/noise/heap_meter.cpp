#include "tests/noise/heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> g_bytes;
std::atomic<std::size_t> g_peak;

void* counted(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  const std::size_t now = g_bytes += malloc_usable_size(block);
  for (std::size_t peak = g_peak; now > peak && !g_peak.compare_exchange_weak(peak, now);) {
  }
  return block;
}

void release(void* block) {
  if (block == nullptr) return;
  g_bytes -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(std::malloc(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit));
}
void operator delete(void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }

namespace reprise::noise {

std::size_t heap_bytes() { return g_bytes; }
std::size_t heap_peak_bytes() { return g_peak; }
void reset_heap_peak() { g_peak = g_bytes.load(); }

}  // namespace reprise::noise
