#include "cpu/engine/interp_engine.h"

#include "cpu/engine/interpret.h"

namespace reprise::cpu {

RunExit InterpEngine::run(Cpu& cpu, u64 budget) {
  const u64 target = cpu.state.retired + budget;
  cpu.extra_retired = 0;
  // A fault raised while fetching has no instruction yet.
  cpu.current = cpu.block_begin = nullptr;

  while (cpu.state.retired < target) {
    source_.cache().collect();
    const u64 linear = fetch_linear(cpu);
    if (stops_before(cpu, linear)) return RunExit::Event;
    const Block* block = source_.block_at(cpu, linear);
    if (block == nullptr) return RunExit::Fault;
    if (cpu.debug_stop) [[unlikely]]
      return interpret_one(cpu, *block, linear);
    if (const std::optional<RunExit> exit = interpret(cpu, *block, linear, target)) return *exit;
  }
  return RunExit::Budget;
}

}  // namespace reprise::cpu
