#include "machine/observe/coverage.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::machine {

void ExecutedBytes::add(u64 linear, u64 bytes) {
  while (bytes != 0) {
    Page& page = pages_[linear >> kPageShift];
    const u64 offset = linear & ~kPageMask;
    const u64 here = std::min(bytes, kPageBytes - offset);
    for (u64 i = 0; i < here; ++i) page.set(offset + i);
    linear += here;
    bytes -= here;
  }
}

bool ExecutedBytes::has_all(u64 linear, u64 bytes) const {
  while (bytes != 0) {
    const auto page = pages_.find(linear >> kPageShift);
    if (page == pages_.end()) return false;
    const u64 offset = linear & ~kPageMask;
    const u64 here = std::min(bytes, kPageBytes - offset);
    for (u64 i = 0; i < here; ++i)
      if (!page->second[offset + i]) return false;
    linear += here;
    bytes -= here;
  }
  return true;
}

std::vector<ExecutedBytes::Range> ExecutedBytes::ranges() const {
  std::vector<u64> numbers;
  for (const auto& [number, page] : pages_) numbers.push_back(number);
  std::ranges::sort(numbers);
  std::vector<Range> ranges;
  for (const u64 number : numbers) {
    const Page& page = pages_.at(number);
    for (u64 offset = 0; offset < kPageBytes; ++offset) {
      if (!page[offset]) continue;
      const u64 linear = (number << kPageShift) + offset;
      if (ranges.empty() || ranges.back().end != linear)
        ranges.push_back({linear, linear + 1});
      else
        ++ranges.back().end;
    }
  }
  return ranges;
}

/// What one processor executes.
class Coverage::Watch final : public cpu::InsnObserver {
 public:
  Watch(Coverage& coverage, cpu::Cpu& cpu) : coverage_(coverage), cpu_(cpu) {
    cpu_.insn_observers.push_back(this);
  }
  ~Watch() override { std::erase(cpu_.insn_observers, this); }

  bool knows(u64 linear, u64 bytes) const override { return executed().has_all(linear, bytes); }
  void begins(const cpu::Insn& insn, u64 linear, u64, u64) override {
    // What is no instruction has no length; its first byte was looked at.
    executed().add(linear, std::max(insn.length(), 1u));
  }
  void ended(const cpu::Insn&, cpu::Status) override {}

 private:
  ExecutedBytes& executed() const {
    return coverage_.executed_[static_cast<unsigned>(cpu_.state.cpl == 3 ? CodeOf::User : CodeOf::Kernel)];
  }

  Coverage& coverage_;
  cpu::Cpu& cpu_;
};

Coverage::Coverage() = default;
Coverage::~Coverage() { end(); }

void Coverage::begin(Machine& machine) {
  // Code that was translated before does not ask.
  machine.pc().forget_translations();
  for (const auto& processor : machine.pc().processors())
    watches_.push_back(std::make_unique<Watch>(*this, processor->cpu));
}

void Coverage::end() { watches_.clear(); }

std::string Coverage::text() const {
  std::string text = "# Executed code: whose, from, up to but not including, linear addresses.\n";
  constexpr std::string_view kNames[] = {"kernel", "user"};
  for (const CodeOf whose : {CodeOf::Kernel, CodeOf::User})
    for (const ExecutedBytes::Range& range : executed(whose).ranges())
      fmt::format_to(std::back_inserter(text), "{} {:016x} {:016x}\n", kNames[static_cast<unsigned>(whose)],
                     range.begin, range.end);
  return text;
}

}  // namespace reprise::machine
