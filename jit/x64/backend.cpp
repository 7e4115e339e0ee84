#include "jit/x64/backend.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/hash.h"
#include "jit/plan/insn_effects.h"
#include "jit/plan/insn_forms.h"
#include "jit/x64/emitter.h"
#include "jit/x64/vector.h"
#include "jit/x64/x87.h"

namespace reprise::jit {
namespace x64 {
namespace {

/// Code for `in` is on registers that the block's head has to acquire.
bool needs_registers(const cpu::Insn& in, PassSet passes) {
  return !raises(in) && (vector_registers(in, passes) != HostRegisters::General || takes_x87(in, passes));
}

/// More than any region takes.
constexpr std::size_t kRoomForARegion = 64u << 10;

}  // namespace

std::span<const u8> Backend::prepare(cpu::Cpu& cpu, const HostCalls& calls) {
  const u8* const begin = arena_.next();
  stubs_ = build_stubs(arena_, cpu, calls);
  translator_ = std::make_unique<Translator>(arena_, stubs_, cpu, options_);
  arena_.keep();
  return {begin, arena_.next()};
}

void Backend::enter_mode(JitContext& context, cpu::ModeKey mode, mmu::View view) const {
  const bool segmented = segmented_code(mode);
  context.lookup = stubs_.lookup[segmented][static_cast<unsigned>(view)];
  context.jump_miss = stubs_.jump_miss[segmented][static_cast<unsigned>(view)];
}

bool Backend::has_room() const { return std::min(arena_.room(), arena_.room_cold()) >= kRoomForARegion; }

u64 Backend::layout() const {
  const asmjit::CpuFeatures& features = asmjit::CpuInfo::host().features();
  std::vector<u64> words(features.bits(), features.bits() + asmjit::CpuFeatures::kNumBitWords);
  words.push_back(translator_->host_flags_digest());
  words.push_back(sizeof(cpu::Cpu));
  words.push_back(options_.code_cache_bytes);
  static_assert(sizeof(Stubs) % sizeof(const u8*) == 0);
  const u8* stubs[sizeof(Stubs) / sizeof(const u8*)];
  std::memcpy(stubs, &stubs_, sizeof stubs);
  for (const u8* const stub : stubs) words.push_back(static_cast<u64>(stub - arena_.begin()));
  return hash64({reinterpret_cast<const u8*>(words.data()), words.size() * sizeof(u64)});
}

bool Backend::checks_at_head(const cpu::Block& block) const {
  if (block.crosses_page() || segmented_code(block.mode)) return true;
  return std::any_of(block.insns.get(), block.insns.get() + block.count,
                     [&](const cpu::Insn& in) { return needs_registers(in, options_.passes); });
}

bool Backend::joinable(const cpu::Block& block) const {
  if (block.crosses_page() || segmented_code(block.mode)) return false;
  // Where the x87's instruction pointer is stored is found for blocks.
  return std::none_of(block.insns.get(), block.insns.get() + block.count,
                      [&](const cpu::Insn& in) { return x87_row(in.mnemonic); });
}

u32 Backend::enter(const u8* code, cpu::Cpu& cpu, JitContext& context, u64 budget) {
  using Enter = u32 (*)(const u8* code, u8* cpu_plus_bias, const Frame* frame, u64 budget);
  const Frame frame{reinterpret_cast<u64>(&context), 0, 0, kOwnedNone, 0, {}};
  const auto enter = reinterpret_cast<Enter>(reinterpret_cast<u64>(stubs_.enter));
  return enter(code, reinterpret_cast<u8*>(&cpu) + kCpuBias, &frame, budget);
}

}  // namespace x64

std::unique_ptr<HostBackend> make_host_backend(const JitOptions& options) {
  auto backend = std::make_unique<x64::Backend>(options);
  if (!backend->ok()) return nullptr;
  return backend;
}

}  // namespace reprise::jit
