#include "machine/debug/debugger.h"

#include <algorithm>
#include <utility>

namespace reprise::machine {

void Debugger::add(const cpu::Breakpoint& breakpoint) {
  if (pc_.debug_stops().add(breakpoint) == cpu::DebugStops::Blocks::Outdated) pc_.forget_translations();
  update();
}

void Debugger::add(const cpu::Watchpoint& watchpoint) {
  pc_.debug_stops().add(watchpoint);
  update();
}

bool Debugger::remove(const cpu::Breakpoint& breakpoint) {
  if (!pc_.debug_stops().remove(breakpoint)) return false;
  update();
  return true;
}

bool Debugger::remove(const cpu::Watchpoint& watchpoint) {
  if (!pc_.debug_stops().remove(watchpoint)) return false;
  update();
  return true;
}

void Debugger::clear() {
  pc_.debug_stops().clear();
  update();
}

void Debugger::update() {
  cpu::DebugStops& stops = pc_.debug_stops();
  const bool on = !stops.empty() && !suspended_;
  for (const auto& processor : pc_.processors()) {
    processor->cpu.stops = on ? &stops : nullptr;
    processor->cpu.mmu.set_debug_pages(on ? &stops.pages() : nullptr);
  }
}

void Debugger::suspend(bool suspended) {
  if (std::exchange(suspended_, suspended) == suspended) return;
  pc_.debug_stops().forget_hits();
  update();
}

Debugger::Standing Debugger::leave() {
  Standing standing{pc_.debug_stops().hits(), {}, std::exchange(suspended_, false), {}};
  exchange(standing.wanted);
  for (const auto& processor : pc_.processors()) {
    cpu::Cpu& cpu = processor->cpu;
    standing.cpus.push_back({cpu.debug_stop, cpu.breakpoint_passed, cpu.stop_at_retired});
    cpu.stop_at_retired = cpu::Cpu::kNoStop;
  }
  away_ = true;
  return standing;
}

void Debugger::come_back(Standing standing) {
  away_ = false;
  suspended_ = standing.suspended;
  exchange(standing.wanted);
  pc_.debug_stops().set_hits(std::move(standing.hits));
  for (const auto& processor : pc_.processors()) {
    const Standing::OfCpu& was = standing.cpus.at(processor->index());
    processor->cpu.debug_stop = was.debug_stop;
    processor->cpu.breakpoint_passed = was.breakpoint_passed;
    processor->cpu.stop_at_retired = was.stop_at_retired;
  }
}

void Debugger::exchange(cpu::DebugStops::Wanted& wanted) {
  if (pc_.debug_stops().exchange(wanted) == cpu::DebugStops::Blocks::Outdated) pc_.forget_translations();
  update();
}

void Debugger::step(unsigned processor, RipRange range) {
  cpu::Cpu& cpu = pc_.processors().at(processor).cpu;
  cpu.stop_at_retired = cpu.state.retired + 1;
  steps_.push_back({processor, range});
}

bool Debugger::write_memory(u64 phys, std::span<const u8> bytes) {
  changed_ = changed_now_ = true;
  const bool all_ram = pc_.phys_map().write_bytes(phys, bytes);
  pc_.processors().boot().cpu.mmu.code_pages().written(phys, bytes.size());
  return all_ram;
}

bool Debugger::step_done() {
  for (const auto& [index, range] : steps_) {
    cpu::Cpu& cpu = pc_.processors().at(index).cpu;
    if (cpu.state.retired < cpu.stop_at_retired) continue;
    if (cpu.state.rip - range.begin < range.end - range.begin) {
      cpu.stop_at_retired = cpu.state.retired + 1;
      continue;
    }
    stepped_ = index;
    return true;
  }
  return false;
}

DebugStop Debugger::stop_now() const {
  Processors& processors = pc_.processors();
  DebugStop stop{.processor = processors.running_index()};
  if (const auto& hits = pc_.debug_stops().hits(); !hits.empty()) {
    const cpu::DebugHit& hit = hits.front();
    stop.hit = hit;
    stop.reason = hit.kind == cpu::DebugHit::Kind::Breakpoint ? DebugStop::Reason::Breakpoint
                                                              : DebugStop::Reason::Watchpoint;
    stop.by_device = hit.cpu == nullptr;
    for (const auto& processor : processors)
      if (&processor->cpu == hit.cpu) stop.processor = processor->index();
  } else if (stepped_) {
    stop.reason = DebugStop::Reason::Step;
    stop.processor = *stepped_;
  }
  return stop;
}

void Debugger::stopped_as(const DebugStop& stop) {
  last_stop_ = stop;
  for (const auto& processor : pc_.processors()) processor->cpu.stop_at_retired = cpu::Cpu::kNoStop;
  steps_.clear();
  stepped_.reset();
  if (listener_) listener_();
}

void Debugger::resumed() {
  pc_.debug_stops().forget_hits();
  for (const auto& processor : pc_.processors()) processor->cpu.debug_stop = false;
}

}  // namespace reprise::machine
