#include "jit/jump_tables.h"

#include "common/check.h"

namespace reprise::jit {

void JumpTables::set_miss(const u8* miss) {
  miss_ = static_cast<u32>(reinterpret_cast<u64>(miss));
  CHECK(reinterpret_cast<u64>(miss) == miss_);
  empty_ = std::make_unique<Table>();
  empty_->fill(miss_);
}

JumpTables::Table& JumpTables::of(u64 phys_page, cpu::ModeKey mode) {
  const u64 number = modes_.try_emplace(mode.bits, modes_.size()).first->second;
  std::unique_ptr<Table>& table = tables_[phys_page + number];
  if (table == nullptr) {
    table = std::make_unique<Table>();
    table->fill(miss_);
  }
  return *table;
}

}  // namespace reprise::jit
