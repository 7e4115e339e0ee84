#include "machine/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/hash.h"
#include "machine/plug/board_devices.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/serial_ports.h"
#include "machine/plug/share_device.h"
#include "machine/storage/drives.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

/// While a panic is suspected, privilege is sampled this often.
constexpr u64 kPanicSliceInstructions = 20'000;

void crash_dump(void* context) {
  const std::string text = static_cast<Machine*>(context)->dump();
  std::fputs(text.c_str(), stderr);
}

/// More than one processor is not switched off. A kernel that panics stops the others, which may run programs until then,
/// before it says that it is at its end.
bool several_work(const Processors& processors) {
  return std::ranges::count_if(processors, [](const auto& processor) {
           const cpu::CpuState& state = processor->cpu.state;
           const bool halts = state.activity == cpu::Activity::Halted && (state.rflags & cpu::kRflagsIf) == 0;
           return !halts && state.activity != cpu::Activity::WaitForSipi;
         }) > 1;
}

/// The guest, or who runs it, wanted it to end.
bool ends_by_itself(ExitReason reason) {
  return reason == ExitReason::PowerOff || reason == ExitReason::Reset || reason == ExitReason::DebugExit ||
         reason == ExitReason::Quit;
}

/// The JIT tells of translations by the names that `symbols`, which outlives the engines, has then.
MachineConfig with_names(const MachineConfig& config, const symbols::KernelSymbols& symbols) {
  MachineConfig named = config;
  if (config.symbols) named.jit.name_of = [&symbols](u64 linear) { return symbols.text(linear); };
  return named;
}

/// Other threads ask and look while the machine runs, and must not wait for one that does not, whatever ended it.
class RunEnds {
 public:
  RunEnds(HostCalls& calls, ScreenFeed& screen) : calls_(calls), screen_(screen) {
    calls_.open();
    screen_.begin();
  }
  ~RunEnds() { now(); }
  RunEnds(const RunEnds&) = delete;
  RunEnds& operator=(const RunEnds&) = delete;
  void now() {
    if (std::exchange(ended_, true)) return;
    calls_.close();
    screen_.end();
  }

 private:
  HostCalls& calls_;
  ScreenFeed& screen_;
  bool ended_ = false;
};

/// Of each port of a virtio-serial; without a back end nobody hears it.
std::vector<GatedChar> gated(const MachineConfig& config, const PcBackends& backends,
                             const OutputGate& gate) {
  const auto count = static_cast<std::size_t>(std::ranges::count_if(config.devices, is_serial_port));
  std::vector<GatedChar> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    out.emplace_back(i < backends.ports.size() ? backends.ports[i] : nullptr, gate);
  return out;
}

std::vector<devices::CharBackend*> pointers_to(std::vector<GatedChar>& outputs) {
  std::vector<devices::CharBackend*> out;
  out.reserve(outputs.size());
  for (GatedChar& output : outputs) out.push_back(&output);
  return out;
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config, PcBackends backends,
                                                 const Log& log) {
  if (config.ram_bytes < kMinRamBytes || config.ram_bytes > kMaxRamBytes ||
      config.ram_bytes % kPageBytes != 0) {
    return wrong_usage(
        fmt::format("memory of {} bytes is not possible: give --memory between {}M and {}G, in whole pages.",
                    config.ram_bytes, kMinRamBytes / kMiB, kMaxRamBytes / kGiB));
  }
  const BootBy boot_by = config.boot.kernel_path.empty() ? BootBy::Firmware : BootBy::Kernel;
  if (const auto checked = check_devices(config.devices); !checked)
    return wrong_usage(fmt::format("{}.", checked.error().message));
  if (const auto checked = check_devices_of_board(config.devices, config.chipset); !checked)
    return wrong_usage(fmt::format("{}.", checked.error().message));
  const bool has_console = std::ranges::find(config.devices, kVirtioConsoleRow.driver,
                                             &DeviceConfig::driver) != config.devices.end();
  if (has_console && backends.console == nullptr) return Error{"nobody listens to the virtio-console."};
  backends.files = config.files != nullptr ? config.files : std::make_shared<RunFiles>();
  if (config.history.on) backends.files->keep_history();
  std::vector<DiskConfig> disk_list = disk_configs(config.devices, config.chipset);
  if (config.pci_hotplug)
    for (DiskConfig& disk : waiting_disks(config.devices)) disk_list.push_back(std::move(disk));
  DiskSet disks = TRY(DiskSet::open(disk_list, boot_by, log, backends.files, config.media));
  backends.disks = disks.attached();
  const std::vector<ShareConfig> share_list = share_configs(config.devices);
  ShareSet shares = config.replayed ? ShareSet::recorded(share_list) : TRY(ShareSet::open(share_list));
  backends.shares = shares.backends();
  TRY(check_disk_places(backends.disks));
  std::unique_ptr<mmu::Ram> ram = TRY(mmu::Ram::create(total_ram_bytes(config)));
  std::unique_ptr<Machine> machine(
      new Machine(config, std::move(disks), std::move(shares), std::move(ram), backends, log));
  if (!config.replayed) machine->keep_first_writes(*backends.files);
  TRY(machine->pc_.plug_in(config.devices));
  machine->follow_cards();
  TRY(machine->network_.start(machine->pc_.scheduler(), machine->outside_, machine->pc_.net_cards(),
                              net_card_ids(config.devices)));
  machine->add_sinks();
  if (config.boot.kernel_path.empty()) {
    TRY(machine->pc_.boot_firmware(config.firmware));
  } else {
    TRY(machine->pc_.boot(config.boot, config.firmware));
  }
  if (!config.replayed)
    machine->recorder_.begin({config.origin.program, config.origin.folder, config.origin.words, "",
                              machine->shape(), machine->files_of_run()});
  return machine;
}

Machine::Machine(const MachineConfig& config, DiskSet disks, ShareSet shares, std::unique_ptr<mmu::Ram> ram,
                 PcBackends backends, const Log& log)
    : config_(with_names(config, symbols_)),
      log_(log.while_open([this] { return gate_.open(); })),
      com1_out_(&backends.com1, gate_),
      com2_out_(&backends.com2, gate_),
      console_out_(backends.console, gate_),
      port_outs_(gated(config, backends, gate_)),
      disks_(std::move(disks)),
      shares_(std::move(shares)),
      ram_(std::move(ram)),
      panic_(com1_out_, com2_out_, &console_out_, pointers_to(port_outs_)),
      network_(config.net, backends.capture, !config.replayed, gate_),
      pc_(config_, *ram_,
          {panic_.com1(), panic_.com2(), backends.disks,
           backends.console != nullptr ? &panic_.console() : nullptr, &network_, backends.sound,
           backends.shares, nullptr, backends.files, &gate_, backends.traces, panic_.ports()},
          *this, log_),
      ram_hash_(*ram_) {}

Machine::~Machine() {
  host_calls_.close();
  network_.disconnect();
}

RunResult Machine::run(const RunLimits& limits) {
  set_crash_dump(crash_dump, this);
  started_ = HostClock::now();
  ending_was_held_ = false;
  RunEnds ends{host_calls_, screen_};
  if (limits.hash_every_retired != 0) {
    next_hash_retired_ = (retired() / limits.hash_every_retired + 1) * limits.hash_every_retired;
  }
  replay_goes_on_ = limits.stop_at_retired.has_value();
  std::optional<Ending> ending;
  if (!unusable_.empty())
    ending = Ending{ExitReason::HostError, exit_code_of(ExitReason::HostError), unusable_};
  while (!ending) {
    ending = check_host(limits);
    if (ending && off_) ending = std::exchange(off_, std::nullopt);
    if (ending) break;
    ending = turn(limits);
    if (ending && ending->reason == ExitReason::PowerOff && limits.stays_off && !replay_ && !stopped_) {
      off_ = std::exchange(ending, std::nullopt);
      stop();
      tell(GuestEvent::Kind::Off);
    }
    if (ending && holds(*ending)) {
      held_ending_ = std::exchange(ending, std::nullopt);
      stopped_ = true;
      debugger_.stopped_as({.reason = DebugStop::Reason::HistoryEnds});
    }
  }
  // The run is what it came to be, wherever somebody looks at it.
  if (present_) {
    restore(checkpoints_.last());
    held_ending_.reset();
    arrive();
  }
  if (replay_ && unusable_.empty()) ending = compared(*std::move(ending));
  ends.now();
  set_crash_dump(nullptr, nullptr);

  RunResult result;
  result.reason = ending->reason;
  result.exit_code = ending->exit_code;
  result.message = std::move(ending->message);
  if (result.reason == ExitReason::ReplayDiffers && replay_)
    result.differs = {replay_->agreed_at(), replay_->differed_at()};
  result.details = std::move(details_);
  if (!ends_by_itself(result.reason)) result.details += places();
  result.retired = retired();
  result.position = position_text(position());
  result.virtual_ns = virtual_ns();
  result.idle_ns = pc_.scheduler().idle_ns();
  result.wall_s = wall_s();
  result.state_hash = state_hash();
  result.hashes = hashes_;
  result.disks = disks_.info();
  result.files = pc_.files_read();
  result.shape = pc_.shape();
  network_.flush();
  result.network = network_.info();
  result.lost_variable_saves = pc_.failed_variable_saves();
  return result;
}

std::optional<Machine::Ending> Machine::turn(const RunLimits& limits) {
  if (held_ending_ && !stopped_ && !timeline_.travels() && !present_) {
    ending_was_held_ = true;
    return std::exchange(held_ending_, std::nullopt);
  }
  if (off_ && !stopped_) {
    stopped_ = true;
    return std::exchange(off_, std::nullopt);
  }
  if (replay_)
    if (auto ending = recorded_ending_by_host()) return ending;
  pc_.processors().stalled(pc_.scheduler().settle());
  turn_observers_.between_turns();
  // In this order, so that a question sees what the command before it has put into the inbox.
  if (!present_ && outside_.waits()) outside_.let_in();
  if (replay_)
    if (auto ending = follow_recording(limits)) return ending;
  if (is_at_present()) arrive();
  pc_.input_router().publish(input_status_);
  // What was ready may have been closed since: an idle machine would wait for it to be looked at.
  if (!present_ && (network_.has_descriptors() || network_.ready())) network_.serve();
  pc_.play_sound();
  if (reset_ending_) return std::exchange(reset_ending_, std::nullopt);
  const bool stood_still = stopped_;
  if (!away_ && host_calls_.waiting()) host_calls_.serve();
  if (!keep_history()) return std::nullopt;
  // What is recorded for now comes in before it goes on.
  if (stood_still && !stopped_ && replay_) return std::nullopt;
  if (stop_at_retired_ && retired() >= *stop_at_retired_) {
    stop_at_retired_.reset();
    stop();
  }
  if (debugger_.due()) stop();
  if (stopped_ && limits.visit) {
    limits.visit();
    return stopped_as_asked();
  }
  if (stopped_) {
    wait_on_host(kMaxSleep);
    return std::nullopt;
  }
  if (at_stop_step(limits)) return stopped_as_asked();
  if (!std::exchange(events_done_, false) && !run_due(limits)) return std::nullopt;
  if (at_stop_step(limits)) {
    events_done_ = true;
    return stopped_as_asked();
  }
  if (is_at_present()) {
    arrive();
    return std::nullopt;
  }
  if (debugger_.due() || timeline_.arrives(position())) {
    events_done_ = true;
    return std::nullopt;
  }
  if (auto ending = check_request(limits)) return ending;
  if (auto ending = check_firmware(limits)) return ending;
  if (limits.on_panic != OnPanic::Continue && panic_.suspected() != nullptr) {
    if (several_work(pc_.processors())) {
      if (panic_.suspected()->ended()) panic_.refute();
    } else if (const PanicWatch* watch = panic_.confirmed(virtual_ns(), pc_.processors().highest_cpl())) {
      if (auto ending = panicked(limits, watch->message())) return ending;
      return std::nullopt;
    }
  }
  take_hash_if_due(limits);
  record_hash_if_due();
  if (replay_)
    if (auto ending = compare_with_recording(limits)) return ending;
  if (silence_listener_) tell_of_silence();
  if (limits.stop_at_retired && retired() >= *limits.stop_at_retired && !limits.stop_at_step) {
    events_done_ = true;
    return stopped_as_asked();
  }
  if (limits.virtual_timeout_ns && virtual_ns() >= *limits.virtual_timeout_ns) {
    events_done_ = true;
    return Ending{ExitReason::Timeout, exit_code_of(ExitReason::Timeout),
                  fmt::format("the guest was still running after {} s of its time (--timeout)",
                              static_cast<double>(*limits.virtual_timeout_ns) / 1e9)};
  }

  if (pc_.change_power()) note_step();
  if (limits.stop_at_step && retired() >= *limits.stop_at_retired &&
      (at_stop_step(limits) || about_to_execute())) {
    events_done_ = true;
    return stopped_as_asked();
  }
  if (timeline_.travels() && about_to_execute()) {
    const Timeline::Move move = timeline_.before_instruction(position());
    if (move.kind == Timeline::Move::Kind::Stop) {
      events_done_ = true;
      carry_out(move);
      return std::nullopt;
    }
  }
  if (pc_.asleep()) return idle(limits);
  const u64 before = retired();
  const cpu::VcpuExit exit = run_processors(slice(limits));
  note_hit(std::nullopt);
  switch (exit) {
    case cpu::VcpuExit::Debugger:
      // A breakpoint before the first one: what was due has been done.
      events_done_ = retired() == before;
      return std::nullopt;
    case cpu::VcpuExit::Budget:
    case cpu::VcpuExit::Pausing:
    case cpu::VcpuExit::Attention: return std::nullopt;
    case cpu::VcpuExit::Halted:
    case cpu::VcpuExit::WaitForSipi: return idle(limits);
    case cpu::VcpuExit::Shutdown:
      if (pending_.request != MachineRequest::None) return std::nullopt;
      return restart(
          limits,
          {ExitReason::TripleFault, exit_code_of(ExitReason::TripleFault),
           fmt::format("the guest's processor shut down by a triple fault after instruction {}", retired())});
  }
  return std::nullopt;
}

std::string Machine::places() const {
  std::string text;
  for (const auto& processor : pc_.processors()) {
    const cpu::CpuState& state = processor->cpu.state;
    const std::string place = symbols_.text(state.rip);
    if (state.cpl == 0 && !place.empty())
      text += fmt::format("processor {} is at {:#x}, {}\n", processor->index(), state.rip, place);
  }
  return text;
}

std::optional<Machine::Ending> Machine::panicked(const RunLimits& limits, std::string message) {
  if (present_) {
    panic_.refute();
    return std::nullopt;
  }
  // Standing still makes sense only for somebody who looks.
  if (limits.on_panic == OnPanic::Wait && !inbox_.closed()) {
    log_.write("guest", LogLevel::Warn, "{}: the guest stands still; 'cont' in the monitor lets it go on",
               message);
    panic_.refute();
    stop();
    tell(GuestEvent::Kind::Panicked);
    return std::nullopt;
  }
  return Ending{ExitReason::Panic, exit_code_of(ExitReason::Panic), std::move(message)};
}

std::optional<Machine::Ending> Machine::check_request(const RunLimits& limits) {
  const PendingRequest pending = std::exchange(pending_, {});
  const auto end = [](ExitReason reason, std::string message) {
    return Ending{reason, exit_code_of(reason), std::move(message)};
  };
  switch (pending.request) {
    case MachineRequest::None: return std::nullopt;
    case MachineRequest::PowerOff: return end(ExitReason::PowerOff, "the guest switched itself off");
    case MachineRequest::Panic: {
      if (limits.on_panic == OnPanic::Continue) return std::nullopt;
      const PanicWatch* watch = panic_.suspected();
      return panicked(limits, watch != nullptr ? watch->message() : "the guest reported a panic");
    }
    case MachineRequest::Reset:
      return restart(limits,
                     {ExitReason::Reset, exit_code_of(ExitReason::Reset),
                      fmt::format("the guest asked for a reset, {}",
                                  config_.reboot ? "and there is no firmware that could start it again"
                                                 : "which ends the run by --no-reboot")});
    case MachineRequest::WatchdogReset:
      return restart(limits, {ExitReason::Hang, exit_code_of(ExitReason::Hang),
                              "the guest no longer reset its watchdog"});
    case MachineRequest::EnginesDiffer: {
      const std::string report = pc_.engines().failure();
      details_ = report.substr(std::min(report.find('\n') + 1, report.size()));
      return end(ExitReason::EnginesDiffer, report.substr(0, report.find('\n')));
    }
    case MachineRequest::DebugExit:
      return Ending{
          ExitReason::DebugExit, pending.code & 0xff,
          fmt::format("the guest wrote {} to the debug-exit port", static_cast<unsigned>(pending.code) >> 1)};
  }
  return std::nullopt;
}

void Machine::tell(GuestEvent::Kind kind, std::string_view action, const std::string& device) {
  if (event_listener_ && !present_ && !away_) event_listener_({kind, action, virtual_ns(), device});
}

Machine::Ending Machine::stopped_as_asked() const {
  return {ExitReason::StopAt, exit_code_of(ExitReason::StopAt),
          fmt::format("stopped at instruction {}, as asked", retired())};
}

u64 Machine::slice(const RunLimits& limits) {
  u64 budget = panic_.suspected() != nullptr ? kPanicSliceInstructions : kSliceInstructions;
  if (limits.stop_at_retired && *limits.stop_at_retired > retired())
    budget = std::min(budget, *limits.stop_at_retired - retired());
  if (stop_at_retired_) budget = std::min(budget, *stop_at_retired_ - retired());
  if (limits.hash_every_retired != 0) budget = std::min(budget, next_hash_retired_ - retired());
  if (limits.virtual_timeout_ns) budget = std::min(budget, *limits.virtual_timeout_ns - virtual_ns());
  budget = until_recorded(budget);
  budget = turn_observers_.budget(budget);
  if (present_ && present_->at.retired > retired())
    budget = std::min(budget, present_->at.retired - retired());
  if (timeline_.travels()) budget = timeline_.limit(retired(), budget);
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

void Machine::tell_of_silence() {
  if (panic_.bytes_printed() == 0 && virtual_ns() < kSilenceNs) return;
  if (panic_.bytes_printed() == 0) silence_listener_();
  silence_listener_ = nullptr;
}

void Machine::request(MachineRequest request, int code) {
  if (pending_.request == MachineRequest::None) pending_ = {request, code};
  pc_.processors().request_stop();
}

u64 Machine::state_hash() {
  Archive archive;
  pc_.serialize(archive);
  return hash64(archive.bytes(), ram_hash_.update());
}

}  // namespace reprise::machine
