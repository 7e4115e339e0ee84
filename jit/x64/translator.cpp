#include "jit/x64/translator.h"

#include <cstring>

#include "common/check.h"
#include "jit/plan/insn_forms.h"
#include "jit/plan/plan_text.h"
#include "jit/x64/block_emitter.h"
#include "jit/x64/integer.h"
#include "jit/x64/integer_common.h"
#include "jit/x64/vector.h"
#include "jit/x64/x87.h"

namespace reprise::jit::x64 {

using cpu::Insn;

struct Translator::Impl final : asmjit::ErrorHandler {
  Impl(CodeArena& code_arena, const Stubs& stubs, cpu::Cpu& cpu, const JitOptions& options)
      : arena(code_arena),
        context{stubs, cpu, options, asmjit::CpuInfo::host().features().x86().hasBMI2(),
                options.has(Pass::HostFlags) ? HostFlags::measure(cpu, code_arena) : HostFlags()} {}
  /// An operand combination that does not exist: a mistake of ours, which costs speed only.
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }

  CodeArena& arena;
  const EmitContext context;
  asmjit::CodeHolder code;
  CountingAssembler assembler;
  bool failed = false;
};

Translator::Translator(CodeArena& arena, const Stubs& stubs, cpu::Cpu& cpu, const JitOptions& options)
    : impl_(std::make_unique<Impl>(arena, stubs, cpu, options)) {}
Translator::~Translator() = default;

std::optional<HostCode> Translator::translate(const TranslationUnit& unit, Listing* listing) {
  asmjit::CodeHolder& code = impl_->code;
  CountingAssembler& a = impl_->assembler;
  CodeArena& arena = impl_->arena;
  const u8* const base = arena.next();
  impl_->failed = false;
  code.reset();
  CHECK(code.init(asmjit::Environment::host(), reinterpret_cast<u64>(base)) == asmjit::kErrorOk);
  code.setErrorHandler(impl_.get());
  code.attach(&a);
  asmjit::Section* cold = nullptr;
  CHECK(code.newSection(&cold, ".cold", SIZE_MAX, asmjit::SectionFlags::kExecutable, 1) == asmjit::kErrorOk);

  const PassSet passes = impl_->context.options.passes;
  HostCode made;
  if (impl_->context.options.count_host_insns) made.counted = std::make_unique<CountedCode>();
  a.count_in(made.counted.get());
  BlockEmitter e({a, impl_->context, unit});
  for (u32 i = 0; i < unit.count(); ++i) {
    const Insn& in = unit.insns[i];
    if (raises(in)) continue;
    e.owned.needs(i, vector_registers(in, passes));
    if (!takes_x87(in, passes)) continue;
    e.owned.needs(i, HostRegisters::X87);
    if (sets_fip(in)) e.owned.sets_fip(i);
  }
  e.begin();
  const auto emit = [&](u32 index) {
    const Insn& in = unit.insns[index];
    e.begin_insn(index);
    const bool body_only = raises(in) || !(flags_agree(e, in) || fixes_host_flags(in));
    if (body_only || !(emit_integer(e, in) || emit_vector(e, in, passes) || emit_x87(e, in, passes)))
      e.call_handler();
    e.end_insn();
  };
  for (u32 i = 0; i < unit.count(); ++i) {
    if (listing != nullptr) {
      listing->host_at.push_back(static_cast<u32>(a.offset()));
      listing->plan.push_back(plan_text(unit.plan, i));
    }
    emit(i);
  }
  if (!e.exits.ended()) e.exits.go_to(unit.insns.back().next_offset);
  if (listing != nullptr) {
    listing->host_at.push_back(static_cast<u32>(a.offset()));
    listing->counters = a.counters();
  }
  const u8* const cold_base = arena.next_cold();
  const u64 cold_distance = static_cast<u64>(cold_base - base);
  cold->setOffset(cold_distance);
  a.section(cold);
  made.probes = e.tlb.count();
  e.finish_cold(cold_distance, emit);

  const asmjit::Section& hot = *code.textSection();
  if (impl_->failed || hot.bufferSize() > arena.room() || cold->bufferSize() > arena.room_cold())
    return std::nullopt;
  if (code.resolveUnresolvedLinks() != asmjit::kErrorOk) return std::nullopt;
  if (code.relocateToBase(reinterpret_cast<u64>(base)) != asmjit::kErrorOk) return std::nullopt;
  std::memcpy(arena.writable(base), hot.data(), hot.bufferSize());
  std::memcpy(arena.writable(cold_base), cold->data(), cold->bufferSize());
  arena.take(hot.bufferSize());
  arena.take_cold(cold->bufferSize());
  made.hot = {base, hot.bufferSize()};
  made.cold = {cold_base, cold->bufferSize()};
  made.body = base + e.body_begin;
  // Where other registers are needed, the head may leave.
  made.overwrites_flags = unit.flags_dead_at_entry && !e.owned.needed();
  e.exits.place_exits(made);
  return made;
}

u64 Translator::host_flags_digest() const { return impl_->context.host_flags.digest(); }

void Translator::point(const ExitJump& exit, const u8* code) {
  const i64 distance = code - (exit.jump + 4);
  const i32 rel32 = static_cast<i32>(distance);
  CHECK(rel32 == distance);
  std::memcpy(impl_->arena.writable(exit.jump), &rel32, sizeof rel32);
}

}  // namespace reprise::jit::x64
