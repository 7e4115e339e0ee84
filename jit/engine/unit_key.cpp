#include "jit/engine/unit_key.h"

namespace reprise::jit {
namespace {

void put(std::vector<u8>& key, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) key.push_back(static_cast<u8>(value >> (8 * i)));
}

}  // namespace

std::vector<u8> unit_key(const TranslationUnit& unit, std::span<const u8> guest) {
  std::vector<u8> key;
  key.reserve(32 + 8 * unit.successors.size() + guest.size());
  put(key, unit.mode.bits, 4);
  put(key, unit.insns.front().offset, 2);
  put(key, unit.count(), 2);
  put(key, unit.joined.size(), 1);
  put(key, (unit.groups_miss ? 1u : 0u) | (unit.flags_dead_at_entry ? 2u : 0u), 1);
  put(key, unit.successors.size(), 1);
  for (const SuccessorHint& hint : unit.successors) {
    put(key, hint.page_offset, 2);
    put(key, hint.insns, 2);
    put(key, hint.flags_dead ? 1 : 0, 1);
  }
  key.insert(key.end(), guest.begin(), guest.end());
  return key;
}

}  // namespace reprise::jit
