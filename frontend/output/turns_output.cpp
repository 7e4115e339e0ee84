#include "frontend/output/turns_output.h"

#include <fmt/format.h>

namespace reprise::frontend {

using machine::EndedTurn;

Result<std::unique_ptr<TurnsOutput>> TurnsOutput::open(const std::string& path, Losses& losses,
                                                       OutputOpener& opener) {
  machine::HostFd file = TRY(opener.open("turns", path));
  return std::unique_ptr<TurnsOutput>(
      new TurnsOutput(std::make_unique<Output>(fmt::format("turns '{}'", path), std::move(file), losses)));
}

void TurnsOutput::begin(machine::Machine& machine) {
  machine_ = &machine;
  modules_ = std::make_unique<machine::symbols::LinuxModules>(machine.symbols());
  for (const auto& processor : machine.pc().processors()) retired_.push_back(processor->cpu.retired_now());
  machine.pc().processors().tell_of_turns([this](const EndedTurn& turn) { take(turn); });
}

void TurnsOutput::end() {
  if (machine_ == nullptr) return;
  machine_->pc().processors().tell_of_turns(nullptr);
  machine_ = nullptr;
  flush();
}

void TurnsOutput::take(const EndedTurn& turn) {
  // What goes over its past has been told of.
  if (machine_->in_past() || turn.natural) return;
  constexpr std::size_t kBufferBytes = 65536;
  const machine::Handover handover{static_cast<u8>(turn.from), turn.retired - retired_[turn.from],
                                   static_cast<u8>(turn.to)};
  buffer_ += fmt::format("{}\t@{}\t{}\t{}\n", machine::handover_text(handover), turn.position,
                         place(turn.from), place(turn.to));
  if (buffer_.size() >= kBufferBytes) flush();
}

std::string TurnsOutput::place(unsigned processor) {
  const cpu::Cpu& cpu = machine_->pc().processors().at(processor).cpu;
  const u64 linear = cpu.state.seg[cpu::CS].base + cpu.state.rip;
  std::string text = fmt::format("{:#x}", linear);
  if (!machine_->symbols().given()) return text;
  std::string name = machine_->symbols().text(linear);
  if (name.empty() && cpu.state.cpl == 0) name = modules_->text(cpu, linear);
  if (!name.empty()) text += ' ' + name;
  return text;
}

void TurnsOutput::flush() {
  if (!buffer_.empty()) file_->write(std::string_view(buffer_));
  buffer_.clear();
}

}  // namespace reprise::frontend
