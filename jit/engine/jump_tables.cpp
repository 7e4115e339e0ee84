#include "jit/engine/jump_tables.h"

#include "common/check.h"

namespace reprise::jit {

void JumpTables::set_miss(const u8* miss) {
  miss_ = static_cast<u32>(reinterpret_cast<u64>(miss));
  CHECK(reinterpret_cast<u64>(miss) == miss_);
  empty_ = std::make_unique<Table>();
  empty_->fill(miss_);
}

u64 JumpTables::mode_number(cpu::ModeKey mode) {
  if (const auto known = modes_.find(mode.bits); known != modes_.end()) return known->second;
  if (modes_.size() + 1 >= kPageBytes) return 0;
  const u64 number = modes_.size() + 1;
  modes_.emplace(mode.bits, number);
  return number;
}

JumpTables::Table& JumpTables::of(u64 phys_page, u64 mode_number) {
  if (Table* table = find(phys_page, mode_number)) return *table;
  tables_.push_back(std::make_unique<Table>());
  Table& table = *tables_.back();
  table.fill(miss_);
  if (tables_.size() * 2 > slots_.size()) rehash(slots_.size() * 2);
  put(phys_page | mode_number, &table);
  return table;
}

void JumpTables::rehash(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old)
    if (slot.key != 0) put(slot.key, slot.table);
}

std::vector<std::unique_ptr<JumpTables::Table>> JumpTables::take_oldest() {
  const auto end = tables_.begin() + static_cast<std::ptrdiff_t>(std::min<u64>(oldest(), tables_.size()));
  std::vector<std::unique_ptr<Table>> taken(std::move_iterator(tables_.begin()), std::move_iterator(end));
  tables_.erase(tables_.begin(), end);
  std::ranges::sort(taken);
  for (Slot& slot : slots_) {
    const auto at =
        std::ranges::lower_bound(taken, slot.table, {}, [](const auto& table) { return table.get(); });
    if (at != taken.end() && at->get() == slot.table) slot = {};
  }
  rehash(slots_.size());
  return taken;
}

void JumpTables::put(u64 key, Table* table) {
  u64 i = hash(key);
  while (slots_[i & (slots_.size() - 1)].key != 0) ++i;
  slots_[i & (slots_.size() - 1)] = {key, table};
}

void JumpTables::clear() {
  tables_.clear();
  slots_.assign(1024, {});
  modes_.clear();
}

}  // namespace reprise::jit
