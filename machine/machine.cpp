#include "machine/machine.h"
#include "machine/page_fault_kinds.h"
#include "machine/storage/drives.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "common/hash.h"
#include "cpu/state/flags.h"

namespace reprise::machine {
namespace {

/// Instructions between looks at the host: some milliseconds.
constexpr u64 kSliceInstructions = 400'000;
/// Device accesses make many short turns: a look at the host's clock for each would show in the profile.
constexpr unsigned kTurnsBetweenHostChecks = 256;
/// While a panic is suspected, privilege is sampled this often.
constexpr u64 kPanicSliceInstructions = 20'000;
/// A panicked kernel that has printed nothing for this long has said everything.
constexpr u64 kPanicQuietNs = 50'000'000;
/// Timers keep running whose interrupts a dead guest has masked; a live one is woken well within this time.
constexpr u64 kMaxIdleNs = 3'600'000'000'000;
/// The longest uninterrupted sleep on the host: signals only set a flag.
constexpr std::chrono::milliseconds kMaxSleep{50};

void crash_dump(void* context) {
  const std::string text = static_cast<Machine*>(context)->dump();
  std::fputs(text.c_str(), stderr);
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config, PcBackends backends,
                                                 const Log& log) {
  if (config.cpus != 1) {
    return Error{
        fmt::format("{} processors were asked for, but only one can run: give --cpus 1.", config.cpus)};
  }
  if (config.ram_bytes < kMinRamBytes || config.ram_bytes > kMaxRamBytes ||
      config.ram_bytes % kPageBytes != 0) {
    return Error{
        fmt::format("memory of {} bytes is not possible: give --memory between {}M and {}G, in whole pages.",
                    config.ram_bytes, kMinRamBytes / kMiB, kMaxRamBytes / kGiB)};
  }
  const BootBy boot_by = config.boot.kernel_path.empty() ? BootBy::Firmware : BootBy::Kernel;
  DiskSet disks = TRY(DiskSet::open(config.disks, boot_by, log));
  backends.disks = disks.attached();
  TRY(check_disk_places(backends.disks));
  std::unique_ptr<mmu::Ram> ram = TRY(mmu::Ram::create(config.ram_bytes));
  std::unique_ptr<Machine> machine(new Machine(config, std::move(disks), std::move(ram), backends, log));
  if (config.debug_testdev) machine->pc_.add_test_device();
  if (config.debug_exit_port) TRY(machine->pc_.add_debug_exit(*config.debug_exit_port));
  if (config.boot.kernel_path.empty()) {
    TRY(machine->pc_.boot_firmware(config.firmware));
  } else {
    TRY(machine->pc_.boot(config.boot));
  }
  return machine;
}

Machine::Machine(const MachineConfig& config, DiskSet disks, std::unique_ptr<mmu::Ram> ram,
                 PcBackends backends, const Log& log)
    : config_(config),
      disks_(std::move(disks)),
      ram_(std::move(ram)),
      com1_watch_(backends.com1),
      com2_watch_(backends.com2),
      console_watch_(backends.console != nullptr ? *backends.console : no_output_),
      pc_(config_, *ram_,
          {com1_watch_, com2_watch_, backends.disks, backends.console != nullptr ? &console_watch_ : nullptr},
          *this, log),
      ram_hash_(*ram_) {}

Machine::~Machine() { host_calls_.close(); }

RunResult Machine::run(const RunLimits& limits) {
  set_crash_dump(crash_dump, this);
  started_ = HostClock::now();
  host_calls_.open();
  if (limits.hash_every_retired != 0) {
    next_hash_retired_ = (retired() / limits.hash_every_retired + 1) * limits.hash_every_retired;
  }
  std::optional<Ending> ending;
  while (!ending) ending = turn(limits);
  host_calls_.close();
  set_crash_dump(nullptr, nullptr);

  RunResult result;
  result.reason = ending->reason;
  result.exit_code = ending->exit_code;
  result.message = std::move(ending->message);
  result.details = std::move(details_);
  result.retired = retired();
  result.virtual_ns = virtual_ns();
  result.idle_ns = pc_.scheduler().idle_ns();
  result.wall_s = wall_s();
  result.state_hash = state_hash();
  result.hashes = hashes_;
  result.disks = disks_.info();
  return result;
}

std::optional<Machine::Ending> Machine::turn(const RunLimits& limits) {
  if (auto ending = check_host(limits)) return ending;
  pc_.scheduler().settle();
  // In this order, so that a question sees what the command before it has put into the inbox.
  if (inbox_.has_messages() || input_waits()) {
    if (auto ending = take_input()) return ending;
  }
  if (host_calls_.waiting()) host_calls_.serve();
  if (stop_at_retired_ && retired() >= *stop_at_retired_) {
    stop_at_retired_.reset();
    stop();
  }
  if (stopped_) {
    inbox_.wait(kMaxSleep);
    turns_since_host_check_ = kTurnsBetweenHostChecks;
    return std::nullopt;
  }
  pc_.scheduler().run_due();
  if (auto ending = check_request()) return ending;
  if (auto ending = check_panic()) return ending;
  take_hash_if_due(limits);
  if (limits.stop_at_retired && retired() >= *limits.stop_at_retired) {
    return Ending{ExitReason::StopAt, exit_code_of(ExitReason::StopAt),
                  fmt::format("stopped at instruction {}, as asked", retired())};
  }
  if (limits.virtual_timeout_ns && virtual_ns() >= *limits.virtual_timeout_ns) {
    return Ending{ExitReason::Timeout, exit_code_of(ExitReason::Timeout),
                  fmt::format("the guest was still running after {} s of its time (--timeout)",
                              static_cast<double>(*limits.virtual_timeout_ns) / 1e9)};
  }

  switch (pc_.vcpu(0).run(slice(limits))) {
    case cpu::VcpuExit::Budget:
    case cpu::VcpuExit::Attention: return std::nullopt;
    case cpu::VcpuExit::Halted:
    case cpu::VcpuExit::WaitForSipi: return idle(limits);
    case cpu::VcpuExit::Shutdown:
      if (suspicion() != nullptr) request(MachineRequest::Panic, 0);
      if (pending_.request != MachineRequest::None) return std::nullopt;
      if (config_.reboot && pc_.reset()) return std::nullopt;
      return Ending{
          ExitReason::TripleFault, exit_code_of(ExitReason::TripleFault),
          fmt::format("the guest's processor shut down by a triple fault after instruction {}", retired())};
  }
  return std::nullopt;
}

std::optional<Machine::Ending> Machine::check_host(const RunLimits& limits) {
  if (const int reason = end_reason_.load(std::memory_order_acquire); reason >= 0) {
    const auto why = static_cast<ExitReason>(reason);
    return Ending{why, end_code_.load(std::memory_order_relaxed),
                  why == ExitReason::Quit ? "ended by the user" : "ended by a signal"};
  }
  if (!limits.wall_timeout_s) return std::nullopt;
  if (++turns_since_host_check_ < kTurnsBetweenHostChecks &&
      retired() - host_checked_retired_ < kSliceInstructions)
    return std::nullopt;
  turns_since_host_check_ = 0;
  host_checked_retired_ = retired();
  if (!wall_time_is_up(limits)) return std::nullopt;
  return Ending{
      ExitReason::WallTimeout, exit_code_of(ExitReason::WallTimeout),
      fmt::format("the guest was still running after {} s (--wall-timeout)", *limits.wall_timeout_s)};
}

bool Machine::wall_time_is_up(const RunLimits& limits) const {
  return limits.wall_timeout_s && wall_s() >= *limits.wall_timeout_s;
}

double Machine::wall_s() const { return std::chrono::duration<double>(HostClock::now() - started_).count(); }

bool Machine::disturbed(const RunLimits& limits) const {
  return inbox_.has_messages() || end_reason_.load(std::memory_order_acquire) >= 0 || wall_time_is_up(limits);
}

std::optional<Machine::Ending> Machine::check_request() {
  const PendingRequest pending = std::exchange(pending_, {});
  const auto end = [](ExitReason reason, std::string message) {
    return Ending{reason, exit_code_of(reason), std::move(message)};
  };
  switch (pending.request) {
    case MachineRequest::None: return std::nullopt;
    case MachineRequest::PowerOff: return end(ExitReason::PowerOff, "the guest switched itself off");
    case MachineRequest::Panic: break;
    case MachineRequest::Reset:
      if (suspicion() != nullptr) break;
      if (config_.reboot && pc_.reset()) return std::nullopt;
      return end(ExitReason::Reset, "the guest asked for a reset");
    case MachineRequest::WatchdogReset:
      if (config_.reboot && pc_.reset()) return std::nullopt;
      return end(ExitReason::Hang, "the guest no longer reset its watchdog");
    case MachineRequest::EnginesDiffer: {
      const std::string report = pc_.engine(0).failure();
      details_ = report.substr(std::min(report.find('\n') + 1, report.size()));
      return end(ExitReason::EnginesDiffer, report.substr(0, report.find('\n')));
    }
    case MachineRequest::DebugExit:
      return Ending{ExitReason::DebugExit, pending.code & 0xff, "the guest wrote to the debug-exit port"};
  }
  const PanicWatch* watch = suspicion();
  return end(ExitReason::Panic, watch != nullptr ? watch->message() : "the guest reported a panic");
}

PanicWatch* Machine::suspicion() {
  for (PanicWatch* watch : {&com1_watch_, &com2_watch_, &console_watch_})
    if (watch->suspected()) return watch;
  return nullptr;
}

void Machine::refute_panic() {
  for (PanicWatch* watch : {&com1_watch_, &com2_watch_, &console_watch_}) watch->refute();
}

std::optional<Machine::Ending> Machine::check_panic() {
  PanicWatch* watch = suspicion();
  if (watch == nullptr) return std::nullopt;
  if (pc_.vcpu(0).cpu().state.cpl == 3) {
    watch->refute();
    return std::nullopt;
  }
  const u64 bytes = com1_watch_.bytes() + com2_watch_.bytes() + console_watch_.bytes();
  if (bytes != panic_bytes_seen_) {
    panic_bytes_seen_ = bytes;
    panic_quiet_until_ns_ = virtual_ns() + kPanicQuietNs;
  }
  if (virtual_ns() < panic_quiet_until_ns_) return std::nullopt;
  return Ending{ExitReason::Panic, exit_code_of(ExitReason::Panic), watch->message()};
}

u64 Machine::slice(const RunLimits& limits) {
  u64 budget = suspicion() != nullptr ? kPanicSliceInstructions : kSliceInstructions;
  if (limits.stop_at_retired) budget = std::min(budget, *limits.stop_at_retired - retired());
  if (stop_at_retired_) budget = std::min(budget, *stop_at_retired_ - retired());
  if (limits.hash_every_retired != 0) budget = std::min(budget, next_hash_retired_ - retired());
  if (limits.virtual_timeout_ns) budget = std::min(budget, *limits.virtual_timeout_ns - virtual_ns());
  return pc_.scheduler().budget(budget);
}

void Machine::take_hash_if_due(const RunLimits& limits) {
  if (limits.hash_every_retired == 0 || retired() < next_hash_retired_) return;
  if (retired() == next_hash_retired_ && (hashes_.empty() || hashes_.back().retired != next_hash_retired_)) {
    hashes_.push_back({retired(), state_hash()});
    if (hash_listener_) hash_listener_(hashes_.back());
  }
  next_hash_retired_ += limits.hash_every_retired;
}

std::optional<Machine::Ending> Machine::idle(const RunLimits& limits) {
  refute_panic();
  Scheduler& scheduler = pc_.scheduler();
  if (pending_.request != MachineRequest::None || inbox_.has_messages()) return std::nullopt;
  if (scheduler.next_deadline_ns() <= scheduler.now_ns()) return std::nullopt;
  if ((pc_.vcpu(0).cpu().state.rflags & cpu::kRflagsIf) == 0 && !pc_.watchdog_runs()) {
    return hang("the guest halted its processor with interrupts off");
  }
  if (retired() != idle_retired_) {
    idle_retired_ = retired();
    idle_from_ns_ = scheduler.now_ns();
  }
  if (scheduler.now_ns() - idle_from_ns_ >= kMaxIdleNs && inbox_.closed()) {
    return hang("the guest waits for an interrupt, and nothing has raised one for an hour of its time");
  }
  if (scheduler.next_deadline_ns() == Clock::kNever) {
    if (inbox_.closed()) return hang("the guest waits for an interrupt that nothing can raise");
    inbox_.wait(kMaxSleep);
    turns_since_host_check_ = kTurnsBetweenHostChecks;
    return std::nullopt;
  }
  const u64 deadline_ns =
      std::min(scheduler.next_deadline_ns(), limits.virtual_timeout_ns.value_or(Clock::kNever));
  if (limits.clock == ClockMode::Paced)
    wait_paced(deadline_ns, limits);
  else
    scheduler.skip_to(deadline_ns);
  return std::nullopt;
}

Machine::Ending Machine::hang(std::string_view why) {
  return {ExitReason::Hang, exit_code_of(ExitReason::Hang), std::string(why)};
}

void Machine::wait_paced(u64 deadline_ns, const RunLimits& limits) {
  using std::chrono::nanoseconds;
  Scheduler& scheduler = pc_.scheduler();
  const u64 from_ns = scheduler.now_ns();
  auto from = HostClock::now() - idle_overslept_;
  const nanoseconds whole{static_cast<i64>(std::min<u64>(deadline_ns - from_ns, 3'600'000'000'000))};
  nanoseconds waited = HostClock::now() - from;
  turns_since_host_check_ = kTurnsBetweenHostChecks;
  while (waited < whole && !disturbed(limits)) {
    inbox_.wait(std::min<nanoseconds>(whole - waited, kMaxSleep));
    if (host_calls_.waiting()) host_calls_.serve();
    if (stopped_) from += stay_stopped(limits);
    waited = HostClock::now() - from;
  }
  if (waited < whole) {
    // Input came first: how long the guest had been idle enters with it.
    scheduler.skip_to(from_ns + static_cast<u64>(std::max<i64>(waited.count(), 0)));
    idle_overslept_ = nanoseconds{0};
    return;
  }
  scheduler.skip_to(from_ns + static_cast<u64>(whole.count()));
  // A late wake-up shortens the next sleep, so that the guest's clock does not fall behind by one each tick.
  idle_overslept_ = std::min<nanoseconds>(waited - whole, kMaxSleep);
}

std::chrono::nanoseconds Machine::stay_stopped(const RunLimits& limits) {
  const HostClock::time_point from = HostClock::now();
  while (stopped_ && !disturbed(limits)) {
    inbox_.wait(kMaxSleep);
    if (host_calls_.waiting()) host_calls_.serve();
  }
  return HostClock::now() - from;
}

void Machine::request(MachineRequest request, int code) {
  if (pending_.request == MachineRequest::None) pending_ = {request, code};
  pc_.vcpu(0).request_stop();
}

std::optional<Machine::Ending> Machine::take_button(InputChannel button) {
  input_log_.push_back({retired(), virtual_ns(), {button, {}}});
  if (button == InputChannel::PowerButton) {
    pc_.press_power_button();
    return std::nullopt;
  }
  if (config_.reboot && pc_.reset()) return std::nullopt;
  return Ending{ExitReason::Reset, exit_code_of(ExitReason::Reset), "the user reset the machine"};
}

std::optional<Machine::Ending> Machine::take_input() {
  for (const InputMessage& message : inbox_.take()) {
    if (message.channel == InputChannel::Medium) {
      input_log_.push_back({retired(), virtual_ns(), message});
      media_changes_.carry_out();
      continue;
    }
    if (static_cast<unsigned>(message.channel) >= kByteChannels) {
      if (auto ending = take_button(message.channel)) return ending;
      continue;
    }
    std::deque<u8>& queue = waiting_input_[static_cast<unsigned>(message.channel)];
    queue.insert(queue.end(), message.bytes.begin(), message.bytes.end());
  }
  for (const InputChannel channel : {InputChannel::Com1, InputChannel::Com2, InputChannel::Console}) {
    std::deque<u8>& queue = waiting_input_[static_cast<unsigned>(channel)];
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), can_receive(channel)));
    if (count == 0) continue;
    std::vector<u8> bytes(queue.begin(), queue.begin() + count);
    queue.erase(queue.begin(), queue.begin() + count);
    receive(channel, bytes);
    input_log_.push_back({retired(), virtual_ns(), {channel, std::move(bytes)}});
  }
  return std::nullopt;
}

std::size_t Machine::can_receive(InputChannel channel) {
  if (channel != InputChannel::Console) return uart(channel).can_receive();
  return pc_.virtio_console() != nullptr ? pc_.virtio_console()->can_receive() : 0;
}

void Machine::receive(InputChannel channel, std::span<const u8> bytes) {
  if (channel != InputChannel::Console)
    uart(channel).receive(bytes);
  else if (pc_.virtio_console() != nullptr)
    pc_.virtio_console()->receive(bytes);
}

u64 Machine::state_hash() {
  Archive archive;
  pc_.serialize(archive);
  const u64 ram_digest = ram_hash_.update();
  for (unsigned i = 0; i < pc_.processors(); ++i) pc_.vcpu(i).cpu().mmu.drop_all_write_tags();
  return hash64(archive.bytes(), ram_digest);
}

std::string Machine::stats(const RunResult& result) {
  const double seconds = std::max(result.wall_s, 1e-9);
  std::string text = fmt::format(
      "instructions {}, {:.1f} million a second; virtual time {:.3f} s, of which idle {:.3f} s; {:.3f} s on "
      "the host\n",
      result.retired, static_cast<double>(result.retired) / seconds / 1e6,
      static_cast<double>(result.virtual_ns) / 1e9, static_cast<double>(result.idle_ns) / 1e9, result.wall_s);
  for (unsigned i = 0; i < pc_.processors(); ++i) {
    const cpu::BlockCache& cache = pc_.engine(i).cache();
    const mmu::MmuStats& mmu = pc_.vcpu(i).cpu().mmu.stats();
    text += fmt::format("blocks {}, invalidated {}, of which revived {}\n", cache.blocks(),
                        cache.invalidations(), cache.revivals());
    text += fmt::format(
        "first-level TLB misses: read {}, write {}, fetch {}; second-level hits {}; page walks {}; page "
        "faults {}\n",
        mmu.l1_misses[0], mmu.l1_misses[1], mmu.l1_misses[2], mmu.l2_hits, mmu.walks, mmu.page_faults);
    text += fmt::format(
        "TLB flushes: all {}, non-global {}, page {}, PCID {}; page-crossing accesses {}; stores to code "
        "pages {}, and {} beside code\n",
        mmu.flushes_all, mmu.flushes_nonglobal, mmu.flushes_page, mmu.flushes_pcid, mmu.page_crossings,
        mmu.code_page_stores, mmu.stores_beside_code);
    text += pc_.engine(i).stats();
    const cpu::VcpuCounts& counts = pc_.vcpu(i).counts();
    const std::vector<PageFaultKind> faults = page_fault_kinds(counts);
    for (std::size_t k = 0; k < faults.size(); ++k)
      text += fmt::format("{}{}: {}", k == 0 ? "page faults of the guest: " : "; ", faults[k].name,
                          faults[k].count);
    if (!faults.empty()) text += "\n";
    text += fmt::format("exceptions {}, interrupts {}, SMIs {}; MMIO reads {}, writes {}\n",
                        counts.exceptions, counts.interrupts, counts.smis, mmu.mmio_reads, mmu.mmio_writes);
  }
  text +=
      fmt::format("port reads {}, writes {}, of which unclaimed {} and {}\n", pc_.counters().port_reads,
                  pc_.counters().port_writes, pc_.ports().unmapped_reads(), pc_.ports().unmapped_writes());
  return text;
}

}  // namespace reprise::machine
