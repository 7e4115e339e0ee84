#include "machine/board/engines.h"

#include "machine/board/engine_factory.h"

namespace reprise::machine {

Engines::Engines(const MachineConfig& config, mmu::CodePages& code_pages, MachineControl& control) {
  const auto make = [&code_pages, kind = config.engine,
                     profile = &config.cpu](const jit::JitOptions& options) {
    return make_engine(kind, options, *profile, code_pages);
  };
  if (config.engine == EngineKind::Lockstep)
    room_ = std::make_unique<LockstepRoom>(make, config.jit, control);
  else
    engine_ = make(config.jit);
}

std::unique_ptr<Tap> Engines::make_tap(cpu::CpuBus& bus, InterruptSource& interrupts) {
  if (!room_) return nullptr;
  return std::make_unique<Tap>(Tap::Mode::Record, bus, interrupts, room_->log, room_->next_real);
}

cpu::Engine& Engines::plug(cpu::Cpu& cpu, Tap* tap) {
  if (!room_) return *engine_;
  return *pairs_.emplace_back(std::make_unique<LockstepEngine>(*room_, cpu, *tap));
}

void Engines::state_replaced() {
  if (engine_) engine_->state_replaced();
  for (const auto& pair : pairs_) pair->state_replaced();
}

void Engines::state_repeated() {
  // The second machine of a comparison has a memory of its own.
  for (const auto& pair : pairs_) pair->state_replaced();
}

std::string Engines::stats() const {
  return room_ ? room_->stats() + room_->tested->stats() : engine_->stats();
}

}  // namespace reprise::machine
