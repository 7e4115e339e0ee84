#include "machine/past/listeners.h"

namespace reprise::machine {
namespace {

/// Where `cpu` is, amid what it does; nullptr: the one that runs.
Happening happening(Machine& machine, const cpu::Cpu* cpu) {
  Processors& processors = machine.pc().processors();
  Happening one{.processor = processors.running_index()};
  for (const auto& processor : processors)
    if (&processor->cpu == cpu) one.processor = processor->index();
  const cpu::Cpu& its = processors.at(one.processor).cpu;
  one.at = its.event_is_retired ? machine.position_before_last() : machine.position();
  one.amid_instruction = its.current != nullptr;
  one.rip = one.amid_instruction ? its.linear_of(*its.current) : its.linear_of_rip(its.state.rip);
  return one;
}

}  // namespace

// --- Writes ---

std::vector<u8> content_of(Machine& machine, const RamPieces& pieces) {
  std::vector<u8> content;
  for (const RamPiece& piece : pieces) {
    const u8* const host = machine.ram().host() + piece.ram_offset;
    content.insert(content.end(), host, host + piece.bytes);
  }
  return content;
}

cpu::DebugStops::Wanted WriteListener::wanted() {
  cpu::DebugStops::Wanted wanted{.listener = this};
  for (const RamPiece& piece : pieces_)
    wanted.watchpoints.push_back({.space = cpu::Watchpoint::Space::Phys,
                                  .on = cpu::Watchpoint::On::Write,
                                  .address = piece.phys,
                                  .bytes = piece.bytes});
  return wanted;
}

void WriteListener::begin() {
  content_ = content_of(machine_, pieces_);
  first_ = last_ = std::nullopt;
  count_ = 0;
}

void WriteListener::hit(const cpu::DebugHit& hit) {
  std::vector<u8> before = std::exchange(content_, content_of(machine_, pieces_));
  Write write{happening(machine_, hit.cpu)};
  if (write.at < from_) return;
  // What it stored of these bytes.
  write.phys = std::max(hit.address, hit.watchpoint.address);
  write.bytes = std::min(hit.address + hit.bytes, hit.watchpoint.address + hit.watchpoint.bytes) - write.phys;
  write.by = hit.by;
  if (hit.by == cpu::DebugHit::By::Device) {
    const NamedDma::Writer writer = machine_.pc().dma_writer();
    write.device = writer != nullptr ? *writer : "board";
    write.requested_retired = machine_.pc().scheduler().due_since_retired();
  }
  write.before = std::move(before);
  write.after = content_;
  const bool goes_on = last_ && last_->at == write.at && last_->by == write.by &&
                       last_->processor == write.processor && last_->device == write.device;
  if (goes_on) {
    write.before = std::move(last_->before);
    const u64 end = std::max(last_->phys + last_->bytes, write.phys + write.bytes);
    write.phys = std::min(last_->phys, write.phys);
    write.bytes = end - write.phys;
  } else {
    ++count_;
  }
  last_ = std::move(write);
  if (count_ == 1) first_ = last_;
}

// --- Execution ---

cpu::DebugStops::Wanted ExecutionListener::wanted() {
  return {.breakpoints = {{.linear = linear_}}, .listener = this};
}

void ExecutionListener::hit(const cpu::DebugHit& hit) {
  Happening one = happening(machine_, hit.cpu);
  if (one.at < from_) return;
  one.amid_instruction = true;
  last_ = one;
  if (!first_) first_ = last_;
}

}  // namespace reprise::machine
