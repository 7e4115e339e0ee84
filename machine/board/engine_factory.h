// The engines this host has.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "cpu/engine/engine.h"
#include "machine/board/config.h"

namespace reprise::machine {

/// The longest block an engine makes.
inline constexpr u32 kMaxBlockInsns = cpu::Block::kMaxInsns;

/// Names of the engines, for messages: "interp" or "interp, jit, lockstep".
std::string_view engine_names();
/// The fastest engine this host has.
std::string_view default_engine_name();
/// The engine called `name`; empty when this host has none.
std::optional<EngineKind> engine_of_name(std::string_view name);

/// "jit".
std::string_view name_of_engine(EngineKind kind);

/// `kind` came from engine_of_name(); for Lockstep the engine that is put to the test.
std::unique_ptr<cpu::Engine> make_engine(EngineKind kind, const jit::JitOptions& options,
                                         const cpu::CpuProfile& profile, mmu::CodePages& code_pages);

}  // namespace reprise::machine
