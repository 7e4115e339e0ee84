// What is told to people about one translation: where the code of each instruction lies, what was planned, and whose it is.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cpu/state/mode.h"

namespace reprise::jit {

struct Listing {
  // The back end's part.
  // Offsets in the block's host code: of the code of each instruction, then the end.
  std::vector<u32> host_at;
  // By instruction; empty strings where nothing is planned.
  std::vector<std::string> plan;
  // Where host code begins and ends that only counts how often it runs.
  std::vector<std::pair<u32, u32>> counters;

  // The engine's.
  u64 linear = 0;  // where it was first run
  u64 phys = 0;
  cpu::ModeKey mode;
  std::vector<u8> lengths;  // in bytes, by instruction
  std::vector<u8> guest;    // their bytes
};

}  // namespace reprise::jit
