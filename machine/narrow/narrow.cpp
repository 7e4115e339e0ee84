#include "machine/narrow/narrow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "cpu/decode/disassemble.h"
#include "machine/board/engine_factory.h"
#include "machine/lockstep/state_difference.h"
#include "machine/narrow/device_accesses.h"

namespace reprise::machine {
namespace {

constexpr unsigned kMaxPlaces = 8;  // of memory that differ, in a report

/// One of the two runs.
class Runner {
 public:
  Runner(const NarrowTask& task, EngineKind engine) : task_(task), engine_(engine) {}

  std::string_view name() const { return name_of_engine(engine_); }
  Machine& machine() { return side_->machine(); }

  /// Has it stand at `instant`, and `look`. False: the run ended before, as a run of the other engine may have as well.
  Result<bool> visit(const Instant& instant, const std::function<void(Machine&)>& look) {
    if (!side_) {
      side_ = TRY(task_.make(engine_, accesses_.traces()));
      machine().begin_to_keep_history();
    }
    TRY(machine().go_to(instant));
    bool looked = false;
    RunLimits limits;
    limits.attended = true;
    limits.visit = [&] {
      looked = true;
      look(machine());
    };
    ended_as_ = machine().run(limits).reason;
    // What it knows of the recording is of no use any more.
    if (!looked) {
      accesses_.end();
      side_.reset();
    }
    return looked;
  }
  Result<std::optional<u64>> hash_at(const Instant& instant) {
    std::optional<u64> hash;
    const bool looked = TRY(visit(instant, [&](Machine& here) { hash = here.state_hash(); }));
    return looked ? hash : std::nullopt;
  }
  /// As hash_at(), on the way to which it keeps what it asks of devices.
  Result<std::optional<u64>> hash_at_end_of(const Instant& instant) {
    if (side_) accesses_.begin(machine());
    auto hash = hash_at(instant);
    accesses_.end();
    return hash;
  }
  const DeviceAccesses& accesses() const { return accesses_; }
  /// Follows the recording over `instant`. Whether it differs from it up to there.
  Result<bool> differs_by(const Position& instant) {
    // At the instant itself the recording has yet to be compared with.
    const bool passed = TRY(visit({{instant.retired + 1, 0, 0}}, [](Machine&) {}));
    return !passed && ended_as_ == ExitReason::ReplayDiffers;
  }

 private:
  const NarrowTask& task_;
  const EngineKind engine_;
  DeviceAccesses accesses_;
  std::unique_ptr<NarrowSide> side_;
  ExitReason ended_as_ = ExitReason::StopAt;
};

/// What a side is like at one instant.
struct Scene {
  std::vector<u64> retired_by;
  std::vector<u64> without_insn_by;  // of them: deliveries and iterations
  std::vector<cpu::CpuState> states;
  std::vector<std::string> next;  // instruction, by processor
};

std::string next_insn(cpu::Cpu& cpu) {
  const u64 linear = cpu.linear_of_rip(cpu.state.rip);
  const std::vector<u8> bytes = cpu::peek_code(cpu.mmu, linear);
  const std::string text =
      bytes.empty() ? "(no memory)" : cpu::disassemble(bytes, linear, cpu::code_bits(cpu.mode)).text;
  return fmt::format("{:016x} {}", linear, text);
}

Scene scene_of(Machine& machine) {
  Scene scene;
  for (const auto& processor : machine.pc().processors()) {
    cpu::Cpu& cpu = processor->cpu;
    scene.retired_by.push_back(cpu.state.retired);
    scene.without_insn_by.push_back(cpu.state.retired_no_insn);
    scene.states.push_back(cpu.state);
    scene.next.push_back(next_insn(cpu));
  }
  return scene;
}

/// Where two memories differ, in words of 8 bytes.
std::string memory_difference(const mmu::Ram& one, const mmu::Ram& other) {
  std::string text;
  u64 words = 0;
  for (u64 page = 0; page < one.bytes(); page += kPageBytes) {
    if (std::memcmp(one.host() + page, other.host() + page, kPageBytes) == 0) continue;
    for (u64 at = page; at < page + kPageBytes; at += 8) {
      u64 here, there;
      std::memcpy(&here, one.host() + at, 8);
      std::memcpy(&there, other.host() + at, 8);
      if (here == there) continue;
      if (++words <= kMaxPlaces)
        text += fmt::format("  memory at physical {:#x}: {:016x} {:016x}\n", at, here, there);
    }
  }
  if (words > kMaxPlaces) text += fmt::format("  and {} more words of memory\n", words - kMaxPlaces);
  return text;
}

class Narrowing {
 public:
  explicit Narrowing(const NarrowTask& task)
      : task_(task), one_(task, task.engines[0]), other_(task, task.engines[1]) {}

  Result<std::string> run() {
    const std::string both = fmt::format("{} and {}", one_.name(), other_.name());
    if (!TRY(agree({task_.agreed})))
      return fmt::format("narrowed     {} are in different states at {}, where the replay agreed\n", both,
                         position_text(task_.agreed));
    // Everything but what happened at the last instant without an instruction.
    const u64 last = task_.differed.retired;
    u64 right = task_.agreed.retired, wrong = last;
    if (wrong > right && !TRY(agree_at_end({{wrong, 0, 0}}))) {
      while (wrong - right > 1) {
        const u64 middle = right + (wrong - right) / 2;
        (TRY(agree({{middle, 0, 0}})) ? right : wrong) = middle;
      }
      return TRY(name(right));
    }
    return TRY(judge(both));
  }

 private:
  /// Both are in the same state at `instant`.
  Result<bool> agree(const Instant& instant) {
    const std::optional<u64> one = TRY(one_.hash_at(instant));
    const std::optional<u64> other = TRY(other_.hash_at(instant));
    return one == other;
  }

  /// The same, with what both ask of devices on the way there from where they stand.
  Result<bool> agree_at_end(const Instant& instant) {
    const std::optional<u64> one = TRY(one_.hash_at_end_of(instant));
    const std::optional<u64> other = TRY(other_.hash_at_end_of(instant));
    return one == other;
  }

  /// The engines agree up to the last instant: which of them differs from the recording there?
  Result<std::string> judge(const std::string& both) {
    const bool one = TRY(one_.differs_by(task_.differed));
    const bool other = TRY(other_.differs_by(task_.differed));
    const std::string where =
        fmt::format("between {} and {}", position_text(task_.agreed), position_text(task_.differed));
    if (one && other)
      return fmt::format(
          "narrowed     {} agree with each other, and not with the recording, {}: it was made by another "
          "build, "
          "with other files, or it was changed\n",
          both, where);
    if (!one && !other)
      return fmt::format("narrowed     this time neither {} differs from the recording\n", both);
    return fmt::format(
        "narrowed     {} agree up to {}, and what happens there without an instruction differs: {} does not "
        "do what "
        "the recording has\n",
        both, position_text({task_.differed.retired, 0, 0}), one ? one_.name() : other_.name());
  }

  /// They agree at `right`, and not when one more has retired.
  Result<std::string> name(u64 right) {
    const Position here{right, 0, 0};
    if (!TRY(agree({here, true})))
      return fmt::format(
          "narrowed     the engines part at {}, by what is due there before the next instruction\n",
          position_text(here));
    Scene before;
    TRY(one_.visit({here, true}, [&](Machine& machine) { before = scene_of(machine); }));
    Scene after[2];
    const Instant behind{{right + 1, 0, 0}};
    const bool one = TRY(one_.visit(behind, [&](Machine& machine) { after[0] = scene_of(machine); }));
    const bool other = TRY(other_.visit(behind, [&](Machine& machine) { after[1] = scene_of(machine); }));
    std::string text = fmt::format("narrowed     the engines part at {}\n", position_text(here));
    if (!one || !other) return text + fmt::format("{} ends there\n", one ? other_.name() : one_.name());
    for (std::size_t i = 0; i < before.retired_by.size(); ++i) {
      const bool insn = after[0].retired_by[i] != before.retired_by[i];
      const bool delivery = after[0].without_insn_by[i] != before.without_insn_by[i];
      if (insn)
        text += fmt::format("cpu{} {}{}\n", i, before.next[i],
                            delivery ? " (an iteration of it, or a delivery before it)" : "");
      const std::string registers = state_difference(after[0].states[i], after[1].states[i]);
      if (!registers.empty())
        text += fmt::format("cpu{} registers ({}, {}):\n{}", i, one_.name(), other_.name(), registers);
    }
    text += memory_at(behind);
    return text + first_access();
  }

  /// What devices were asked for first that differs, on the way from where the replay agreed to where it did not.
  std::string first_access() const {
    const DeviceAccesses &one = one_.accesses(), &other = other_.accesses();
    const auto [first, second] = std::ranges::mismatch(one.all(), other.all());
    const bool ends = first == one.all().end(), other_ends = second == other.all().end();
    if (ends && other_ends)
      return one.all().size() < DeviceAccesses::kMost
                 ? fmt::format("no access to a device differs up to {}\n", position_text(task_.differed))
                 : fmt::format("none of the first {} accesses to devices differs\n", DeviceAccesses::kMost);
    return fmt::format("first access to a device that differs ({}, {}):\n  {}\n  {}\n", one_.name(),
                       other_.name(), ends ? "none" : one.text(*first),
                       other_ends ? "none" : other.text(*second));
  }

  std::string memory_at(const Instant& instant) {
    std::string text;
    // The run's end puts each back where it came to be, so the second looks while the first still stands there.
    (void)one_.visit(instant, [&](Machine& one) {
      (void)other_.visit(instant, [&](Machine& other) { text = memory_difference(one.ram(), other.ram()); });
    });
    return text;
  }

  const NarrowTask& task_;
  Runner one_, other_;
};

}  // namespace

Result<std::string> narrow(const NarrowTask& task) { return Narrowing(task).run(); }

}  // namespace reprise::machine
