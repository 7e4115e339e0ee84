// How much of the heap is in use: operator new and delete of this program are counted. Any thread.
#pragma once

#include <cstddef>

namespace reprise::noise {

std::size_t heap_bytes();
/// The most there was since the last call of reset_heap_peak().
std::size_t heap_peak_bytes();
void reset_heap_peak();

}  // namespace reprise::noise
