#include "machine/symbols/linux_tasks.h"

#include "machine/symbols/linear_reader.h"

namespace reprise::machine::symbols {
namespace {

/// A guest whose types are not to be had is not asked for ever.
constexpr unsigned kMaxTries = 16;
constexpr u64 kMaxTypesBytes = u64{64} << 20;
constexpr std::size_t kCommBytes = 16;
/// With page-table isolation a program's tables lie behind the kernel's: bit 12 of CR3 (arch/x86/entry/calling.h).
constexpr u64 kUserTables = u64{1} << 12;

bool is_kernel_address(u64 linear) { return linear >> 63 != 0; }

/// Reads what the kernel sees, wherever `cpu` is: `linear` is an address of the kernel's own data.
LinearReader kernel_reader(const cpu::Cpu& cpu, u64 linear) {
  LinearReader reader(cpu);
  if (reader.byte(linear)) return reader;
  return LinearReader(cpu, cpu.mmu.context().cr3 & ~kUserTables);
}

}  // namespace

std::optional<LinuxTasks::Layout> LinuxTasks::layout_by(const BtfTypes& types) const {
  const auto leader = types.offset_of("task_struct", "group_leader");
  const auto comm = types.offset_of("task_struct", "comm");
  const auto tgid = types.offset_of("task_struct", "tgid");
  // Linux 6.2 to 6.14 keep it in a structure; a variable of its own before and since.
  std::optional<u64> current = symbols_.address_of("current_task");
  if (!current) {
    const auto hot = symbols_.address_of("pcpu_hot");
    const auto within = types.offset_of("pcpu_hot", "current_task");
    if (hot && within) current = *hot + *within;
  }
  if (!leader || !comm || !tgid || !current) return std::nullopt;
  return Layout{*current, *leader, *comm, *tgid};
}

std::optional<BtfTypes> LinuxTasks::types_in_guest(const cpu::Cpu& cpu) const {
  const std::optional<u64> begin = symbols_.address_of("__start_BTF");
  const std::optional<u64> end = symbols_.address_of("__stop_BTF");
  if (!begin || !end || *end <= *begin || *end - *begin > kMaxTypesBytes) return std::nullopt;
  LinearReader reader = kernel_reader(cpu, *begin);
  std::vector<u8> bytes;
  bytes.reserve(*end - *begin);
  for (u64 linear = *begin; linear < *end; ++linear) {
    const std::optional<u8> next = reader.byte(linear);
    if (!next) return std::nullopt;
    bytes.push_back(*next);
  }
  return BtfTypes::parse(std::move(bytes));
}

void LinuxTasks::find_layout(const cpu::Cpu& cpu) {
  if (!symbols_.given()) return;
  const std::optional<Slide> slide = symbols_.slide();
  if (!slide) return;
  if (slide->bytes != slide_) {  // another boot
    layout_.reset();
    tries_ = 0;
    slide_ = slide->bytes;
  }
  if (layout_ || tries_ == kMaxTries) return;
  ++tries_;
  const std::span<const u8> own = symbols_.table().types();
  const std::optional<BtfTypes> types =
      own.empty() ? types_in_guest(cpu) : BtfTypes::parse({own.begin(), own.end()});
  if (types) layout_ = layout_by(*types);
}

std::optional<LinuxProcess> LinuxTasks::current(const cpu::Cpu& cpu) {
  find_layout(cpu);
  if (!layout_) return std::nullopt;
  // Programs run with their own base of GS; the kernel's waits in the register that SWAPGS takes it from.
  const u64 running = cpu.state.seg[cpu::GS].base;
  const u64 own_data = cpu.state.cpl != 3 && is_kernel_address(running) ? running : cpu.state.kernel_gs_base;
  LinearReader reader = kernel_reader(cpu, own_data + layout_->current_at);
  const std::optional<u64> task = reader.word(own_data + layout_->current_at, 8);
  if (!task || !is_kernel_address(*task)) return std::nullopt;
  const std::optional<u64> leader = reader.word(*task + layout_->group_leader, 8);
  if (!leader || !is_kernel_address(*leader)) return std::nullopt;
  const std::optional<u64> pid = reader.word(*leader + layout_->tgid, 4);
  const std::optional<std::string> name = reader.text(*leader + layout_->comm, kCommBytes);
  if (!pid || !name || name->empty()) return std::nullopt;
  return LinuxProcess{static_cast<u32>(*pid), *name};
}

}  // namespace reprise::machine::symbols
