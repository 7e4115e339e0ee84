#include "machine/observe/tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "cpu/decode/disassemble.h"
#include "machine/observe/branch_kinds.h"
#include "machine/observe/syscall_names.h"
#include "machine/observe/trace_text.h"

namespace reprise::machine {
namespace {

using cpu::Cpu;
using cpu::CpuState;
using cpu::Passage;
using cpu::Status;

/// Where the processor goes on. Its mode may not have been brought up to date yet.
u64 linear_now(const CpuState& state) {
  const bool is64 = (state.efer & mmu::kEferLma) != 0 && (state.seg[cpu::CS].access & cpu::Segment::kLong);
  const u64 linear = state.rip + state.seg[cpu::CS].base;
  return is64 ? linear : static_cast<u32>(linear);
}

std::string_view name_of(Passage passage) {
  switch (passage) {
    case Passage::Syscall: return "syscall";
    case Passage::Sysret: return "sysret";
    case Passage::Sysenter: return "sysenter";
    case Passage::Sysexit: return "sysexit";
    case Passage::Iret: return "iret";
    case Passage::Rsm: return "rsm";
    case Passage::Init: return "init";
    case Passage::StartUp: return "start-up";
    case Passage::Shutdown: return "shutdown";
  }
  return "";
}

/// System calls that have not returned, by what they return to.
class OpenSyscalls {
 public:
  struct Call {
    u64 number;
    std::string position;
  };
  void begin(const CpuState& state, u64 return_rip, Call call) {
    // Those of threads that ended are never taken.
    if (calls_.size() >= kMaxCalls) calls_.clear();
    calls_[key(state, return_rip)] = std::move(call);
  }
  /// The one that returns to where the processor is now.
  std::optional<Call> take(const CpuState& state) {
    const auto found = calls_.find(key(state, state.rip));
    if (found == calls_.end()) return std::nullopt;
    Call call = std::move(found->second);
    calls_.erase(found);
    return call;
  }

 private:
  static constexpr std::size_t kMaxCalls = 65536;
  using Key = std::tuple<u64, u64, u64>;
  static Key key(const CpuState& state, u64 rip) {
    return {state.cr3 & cpu::DebugStops::kRootMask, state.gpr[cpu::RSP], rip};
  }
  std::map<Key, Call> calls_;
};

}  // namespace

/// What one processor does.
class Tracer::Watch final : public cpu::EventObserver, public cpu::InsnObserver {
 public:
  Watch(Tracer& tracer, Processor& processor)
      : tracer_(tracer),
        cpu_(processor.cpu),
        index_(processor.index()),
        insns_(tracer.kinds_.has(TraceKind::Insn)),
        branches_(tracer.kinds_.has(TraceKind::Branch)),
        irqs_(tracer.kinds_.has(TraceKind::Irq)),
        syscalls_(tracer.kinds_.has(TraceKind::Syscall)),
        page_faults_(tracer.kinds_.has(TraceKind::PageFault)) {
    cpu_.event_observers.push_back(this);
    if (insns_ || branches_) cpu_.insn_observers.push_back(this);
  }
  ~Watch() override {
    std::erase(cpu_.event_observers, this);
    std::erase(cpu_.insn_observers, this);
  }

  // cpu::InsnObserver
  bool knows(u64, u64) const override { return false; }
  void begins(const cpu::Insn& insn, u64 linear, u64 phys, u64 second_phys) override {
    begun_at_ = linear;
    // The iterations of a REP are one line, however often a budget ended between them.
    if (std::exchange(repeats_at_, std::nullopt) == linear) return;
    if (insns_) line(linear, TraceKind::Insn, disassembly(insn, linear, phys, second_phys));
  }
  void ended(const cpu::Insn& insn, Status status) override {
    if (status == Status::Restart) repeats_at_ = begun_at_;
    if (!branches_ || status == Status::Fault) return;
    const BranchKind kind = branch_kind(insn);
    if (kind.name.empty()) return;
    const bool taken = status == Status::Jump || status == Status::StopJump;
    if (taken)
      line(begun_at_, TraceKind::Branch,
           fmt::format("{}{} -> {:016x}", kind.name, kind.conditional ? " taken" : "",
                       linear_now(cpu_.state)));
    else
      line(begun_at_, TraceKind::Branch, fmt::format("{} not taken", kind.name));
  }

  // cpu::EventObserver
  void page_fault_raised(const cpu::Fault& fault) override {
    if (!page_faults_) return;
    line(linear_now(cpu_.state), TraceKind::PageFault,
         fmt::format("{:016x} {} error {:#x} cr3 {:x}", fault.linear, page_fault_text(fault.error_code),
                     fault.error_code, cpu_.state.cr3));
  }
  void delivered(const cpu::Fault& event, u64 from) override {
    repeats_at_.reset();
    if (irqs_)
      line(from, TraceKind::Irq, fmt::format("{} -> {:016x}", delivery_text(event), linear_now(cpu_.state)));
    constexpr u8 kLinuxVector = 0x80;
    if (syscalls_ && event.kind == cpu::EventKind::SoftwareInterrupt && event.vector == kLinuxVector)
      legacy_call("int80", from);
  }
  void passed(Passage passage, u64 from) override {
    repeats_at_.reset();
    switch (passage) {
      case Passage::Syscall:
        if (syscalls_) begin_call(from);
        return;
      case Passage::Sysenter:
        if (syscalls_) legacy_call(name_of(passage), from);
        return;
      case Passage::Sysret:
      case Passage::Sysexit:
        if (syscalls_) end_call(passage, from);
        return;
      case Passage::Iret:
        if (syscalls_ && cpu_.state.cpl == 3) end_call(passage, from);
        break;
      case Passage::Rsm:
      case Passage::Init:
      case Passage::StartUp:
      case Passage::Shutdown: break;
    }
    if (irqs_)
      line(from, TraceKind::Irq, fmt::format("{} -> {:016x}", name_of(passage), linear_now(cpu_.state)));
  }

 private:
  void line(u64 linear, TraceKind kind, std::string_view what) { tracer_.line(index_, linear, kind, what); }

  std::string disassembly(const cpu::Insn& insn, u64 linear, u64 phys, u64 second_phys) const {
    const u64 left_in_page = kPageBytes - (phys & ~kPageMask);
    const u64 length = insn.length() != 0 ? insn.length() : std::min<u64>(cpu::kMaxInsnBytes, left_in_page);
    u8 bytes[cpu::kMaxInsnBytes];
    const std::span<u8> all(bytes, length);
    const u64 first = std::min(length, left_in_page);
    mmu::PhysMap& map = cpu_.mmu.phys_map();
    bool readable = map.read_bytes(phys, all.first(first));
    if (first != length) readable &= map.read_bytes(second_phys, all.subspan(first));
    if (!readable) return "(code in a device)";
    return cpu::disassemble(all, linear, cpu::code_bits(cpu_.mode)).text;
  }

  void begin_call(u64 from) {
    const CpuState& state = cpu_.state;
    const u64 number = state.gpr[cpu::RAX];
    line(from, TraceKind::Syscall,
         fmt::format("{} {}({:#x}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x})", number, name_of_call(number),
                     state.gpr[cpu::RDI], state.gpr[cpu::RSI], state.gpr[cpu::RDX], state.gpr[cpu::R10],
                     state.gpr[cpu::R8], state.gpr[cpu::R9]));
    calls_.begin(state, state.gpr[cpu::RCX], {number, position_text(tracer_.machine_->position())});
  }
  /// Those of 32-bit programs, whose numbers are others.
  void legacy_call(std::string_view way, u64 from) {
    const CpuState& state = cpu_.state;
    const auto low = [&](unsigned gpr) { return static_cast<u32>(state.gpr[gpr]); };
    line(from, TraceKind::Syscall,
         fmt::format("{} {}({:#x}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x})", way, low(cpu::RAX), low(cpu::RBX),
                     low(cpu::RCX), low(cpu::RDX), low(cpu::RSI), low(cpu::RDI), low(cpu::RBP)));
  }
  void end_call(Passage passage, u64 from) {
    const auto call = calls_.take(cpu_.state);
    // Most IRETs end something else.
    if (!call && passage == Passage::Iret) return;
    const std::string result = syscall_result_text(cpu_.state.gpr[cpu::RAX]);
    line(from, TraceKind::Syscall,
         call ? fmt::format("{} {} = {} since {}", name_of(passage), name_of_call(call->number), result,
                            call->position)
              : fmt::format("{} = {}", name_of(passage), result));
  }
  static std::string_view name_of_call(u64 number) {
    const std::string_view name = linux_syscall_name(number);
    return name.empty() ? "unknown" : name;
  }

  Tracer& tracer_;
  Cpu& cpu_;
  const unsigned index_;
  const bool insns_, branches_, irqs_, syscalls_, page_faults_;
  u64 begun_at_ = 0;
  std::optional<u64> repeats_at_;  // a REP goes on there, and nothing has come between
  OpenSyscalls calls_;
};

Tracer::Tracer(TraceKinds kinds, TraceSink& sink) : kinds_(kinds), sink_(sink) {}

Tracer::~Tracer() { end(); }

AccessTraces Tracer::access_traces() {
  return {.ports = kinds_.has(TraceKind::Pio) ? this : nullptr,
          .mmio = kinds_.has(TraceKind::Mmio) ? this : nullptr};
}

void Tracer::begin(Machine& machine) {
  machine_ = &machine;
  for (const auto& processor : machine.pc().processors())
    watches_.push_back(std::make_unique<Watch>(*this, *processor));
  machine.add_observer(*this);
}

void Tracer::end() {
  if (machine_ == nullptr) return;
  watches_.clear();
  machine_->remove_observer(*this);
  machine_ = nullptr;
  sink_.pause();
}

void Tracer::line(unsigned processor, u64 linear, TraceKind kind, std::string_view what) {
  // What happens again was told when it happened.
  if (machine_->in_past()) return;
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "{} cpu{} {:016x} {} {}", position_text(machine_->position()),
                 processor, linear, trace_kind_names()[static_cast<std::size_t>(kind)], what);
  sink_.line({text.data(), text.size()});
}

void Tracer::access_line(TraceKind kind, std::string_view what) {
  const Processor& processor = machine_->pc().processors().running();
  const Cpu& cpu = processor.cpu;
  const u64 linear = cpu.current != nullptr ? cpu.linear_of(*cpu.current) : linear_now(cpu.state);
  line(processor.index(), linear, kind, what);
}

void Tracer::port_accessed(AccessKind kind, u16 port, Width width, u32 value) {
  if (machine_ == nullptr) return;
  access_line(TraceKind::Pio, port_access_text(kind, port, width, value));
}

void Tracer::mmio_accessed(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value) {
  if (machine_ == nullptr) return;
  access_line(TraceKind::Mmio, mmio_access_text(kind, name, offset, width, value));
}

}  // namespace reprise::machine
