#include "frontend/output/turns_output.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::frontend {

using machine::EndedTurn;

/// What one processor comes to. Everything else runs untold.
class TurnsOutput::Watch final : public cpu::InsnObserver {
 public:
  Watch(TurnsOutput& output, cpu::Cpu& cpu, unsigned processor)
      : output_(output), cpu_(cpu), processor_(processor) {
    cpu_.insn_observers.push_back(this);
  }
  ~Watch() override { std::erase(cpu_.insn_observers, this); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void add(u64 linear) { places_.push_back(linear); }

  // cpu::InsnObserver
  bool knows(u64 linear, u64 bytes) const override {
    return std::ranges::none_of(places_, [&](u64 place) { return place - linear < bytes; });
  }
  void begins(const cpu::Insn&, u64 linear, u64, u64) override {
    if (std::ranges::find(places_, linear) != places_.end()) output_.came_by(processor_, linear);
  }
  void ended(const cpu::Insn&, cpu::Status) override {}

 private:
  TurnsOutput& output_;
  cpu::Cpu& cpu_;
  const unsigned processor_;
  std::vector<u64> places_;
};

TurnsOutput::TurnsOutput(std::unique_ptr<Output> file) : file_(std::move(file)) {}
TurnsOutput::~TurnsOutput() = default;

Result<std::unique_ptr<TurnsOutput>> TurnsOutput::open(const std::string& path, Losses& losses,
                                                       OutputOpener& opener) {
  machine::HostFd file = TRY(opener.open("turns", path));
  return std::unique_ptr<TurnsOutput>(
      new TurnsOutput(std::make_unique<Output>(fmt::format("turns '{}'", path), std::move(file), losses)));
}

void TurnsOutput::begin(machine::Machine& machine, const std::vector<PlaceOfProcessor>& places) {
  machine_ = &machine;
  modules_ = std::make_unique<machine::symbols::LinuxModules>(machine.symbols());
  for (const auto& processor : machine.pc().processors()) retired_.push_back(processor->cpu.retired_now());
  machine.pc().processors().tell_of_turns([this](const EndedTurn& turn) { take(turn); });
  if (places.empty()) return;
  // Code that was translated before does not ask.
  machine.pc().forget_translations();
  for (const auto& processor : machine.pc().processors())
    watches_.push_back(std::make_unique<Watch>(*this, processor->cpu, processor->index()));
  for (const PlaceOfProcessor& place : places)
    if (place.processor < watches_.size()) watches_[place.processor]->add(place.linear);
}

void TurnsOutput::end() {
  if (machine_ == nullptr) return;
  machine_->pc().processors().tell_of_turns(nullptr);
  watches_.clear();
  machine_ = nullptr;
  flush();
}

void TurnsOutput::take(const EndedTurn& turn) {
  // What goes over its past has been told of.
  if (machine_->in_past() || turn.natural) return;
  line({static_cast<u8>(turn.from), turn.retired - retired_[turn.from], static_cast<u8>(turn.to)},
       turn.position, "", place(turn.from), place(turn.to));
}

void TurnsOutput::came_by(unsigned processor, u64 linear) {
  if (machine_->in_past()) return;
  const cpu::Cpu& cpu = machine_->pc().processors().at(processor).cpu;
  const auto number = static_cast<u8>(processor);
  const std::string here = place(cpu, linear);
  line({number, cpu.retired_now() - retired_[processor], number}, machine_->retired(), "#", here, here);
}

void TurnsOutput::line(const machine::Handover& handover, u64 position, std::string_view front,
                       const std::string& stops_at, const std::string& goes_on_at) {
  constexpr std::size_t kBufferBytes = 65536;
  buffer_ += fmt::format("{}{}\t@{}\t{}\t{}\n", front, machine::handover_text(handover), position, stops_at,
                         goes_on_at);
  if (buffer_.size() >= kBufferBytes) flush();
}

std::string TurnsOutput::place(unsigned processor) {
  const cpu::Cpu& cpu = machine_->pc().processors().at(processor).cpu;
  return place(cpu, cpu.state.seg[cpu::CS].base + cpu.state.rip);
}

std::string TurnsOutput::place(const cpu::Cpu& cpu, u64 linear) {
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
