#include "machine/board/engine_factory.h"

#include "cpu/engine/interp_engine.h"
#ifdef REPRISE_HAVE_JIT
#include "jit/engine/jit_engine.h"
#endif

namespace reprise::machine {

std::string_view name_of_engine(EngineKind kind) {
  switch (kind) {
    case EngineKind::Interp: return "interp";
    case EngineKind::Jit: return "jit";
    case EngineKind::Lockstep: return "lockstep";
  }
  return "unknown";
}

#ifdef REPRISE_HAVE_JIT

std::string_view engine_names() { return "interp, jit, lockstep"; }

std::string_view default_engine_name() { return "jit"; }

std::optional<EngineKind> engine_of_name(std::string_view name) {
  if (name == "interp") return EngineKind::Interp;
  if (name == "jit") return EngineKind::Jit;
  if (name == "lockstep") return EngineKind::Lockstep;
  return std::nullopt;
}

std::unique_ptr<cpu::Engine> make_engine(EngineKind kind, const jit::JitOptions& options,
                                         const cpu::CpuProfile& profile, mmu::CodePages& code_pages) {
  if (kind != EngineKind::Interp) return std::make_unique<jit::JitEngine>(profile, code_pages, options);
  return std::make_unique<cpu::InterpEngine>(profile, code_pages, options.max_block_insns);
}

#else

std::string_view engine_names() { return "interp"; }

std::string_view default_engine_name() { return "interp"; }

std::optional<EngineKind> engine_of_name(std::string_view name) {
  if (name == "interp") return EngineKind::Interp;
  return std::nullopt;
}

std::unique_ptr<cpu::Engine> make_engine(EngineKind, const jit::JitOptions& options,
                                         const cpu::CpuProfile& profile, mmu::CodePages& code_pages) {
  return std::make_unique<cpu::InterpEngine>(profile, code_pages, options.max_block_insns);
}

#endif

}  // namespace reprise::machine
