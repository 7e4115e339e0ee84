#include "machine/symbols/linux_tasks.h"

#include "machine/symbols/linux_types.h"

namespace reprise::machine::symbols {
namespace {

/// A guest whose types are not to be had is not asked for ever.
constexpr unsigned kMaxTries = 16;
constexpr std::size_t kCommBytes = 16;

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
  if (const std::optional<BtfTypes> types = linux_types(symbols_, cpu)) layout_ = layout_by(*types);
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
