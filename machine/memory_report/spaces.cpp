#include "machine/memory_report/spaces.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "machine/memory_report/program_name.h"

namespace reprise::machine::memory_report {
namespace {

/// A program's first pages of code: behind them nothing new is learnt.
constexpr unsigned kMaxTries = 8;
constexpr std::size_t kMaxParents = 4096;

}  // namespace

Spaces::Spaces() : all_(3) {
  all_[kKernel].name = "kernel (global and upper half)";
  all_[kUnpaged].name = "no paging (firmware, boot)";
  all_[kOthers].name = "further address spaces";
}

u32 Spaces::of_root(u64 root, u64 now_ns, u64 retired) {
  const auto [found, is_new] = by_root_.try_emplace(root, kOthers);
  if (is_new && all_.size() < kMax) {
    found->second = static_cast<u32>(all_.size());
    all_.emplace_back();
    all_.back().root = root;
    all_.back().begin_ns = now_ns;
    all_.back().begin_retired = retired;
  }
  return found->second;
}

std::optional<u32> Spaces::find(u64 root) const {
  const auto found = by_root_.find(root);
  if (found == by_root_.end()) return std::nullopt;
  return found->second;
}

void Spaces::end(u64 root, u64 now_ns) {
  const auto found = by_root_.find(root);
  if (found == by_root_.end()) return;
  if (found->second != kOthers) all_[found->second].end_ns = now_ns;
  by_root_.erase(found);
}

void Spaces::runs(u32 space, const symbols::LinuxProcess& process) {
  Space& here = all_[space];
  if (space > kOthers && (here.process.pid == 0 || here.process.pid == process.pid)) here.process = process;
}

void Spaces::find_name(u32 space, const cpu::Cpu& cpu) {
  Space& here = all_[space];
  if (space <= kOthers || !here.name.empty() || here.name_tries >= kMaxTries) return;
  ++here.name_tries;
  const auto take = [&](u64 stack) {
    const std::optional<ProgramName> program = program_on_stack(cpu, stack);
    if (!program) return false;
    here.name = program->name;
    here.words = program->words;
    // Executed by way of a link to itself: the first argument says as what.
    if (here.name.starts_with("/proc/")) here.name = here.words.substr(0, here.words.find(' '));
    here.stack = stack;
    return true;
  };
  if (take(cpu.state.gpr[cpu::RSP])) return;
  // Its parent goes on, most likely: the latest ones first.
  std::vector<u32> others;
  for (const auto& [root, other] : by_root_)
    if (all_[other].stack != 0) others.push_back(other);
  std::ranges::sort(others, std::ranges::greater{});
  if (others.size() > kMaxParents) others.resize(kMaxParents);
  std::unordered_set<u64> tried;
  for (const u32 other : others)
    if (tried.insert(all_[other].stack).second && take(all_[other].stack)) return;
}

}  // namespace reprise::machine::memory_report
