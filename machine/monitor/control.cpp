// Commands about the run as a whole. What changes the guest goes through the inbox, like all other input.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/words.h"
#include "machine/board/engine_factory.h"
#include "machine/history/instant_text.h"
#include "machine/memory_dump.h"
#include "machine/monitor/command.h"
#include "machine/monitor/exclusive_file.h"
#include "machine/monitor/expression.h"
#include "machine/outside/sink_names.h"
#include "machine/page_fault_kinds.h"
#include "machine/record/recording.h"
#include "machine/screen/picture_file.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine::monitor {
namespace {

std::string_view state_name(Machine& machine) {
  if (machine.stopped()) return "stopped";
  if (machine.pc().asleep()) return "asleep";
  using cpu::Activity;
  // What one of them does, the first of these.
  constexpr std::pair<Activity, std::string_view> kNames[] = {{Activity::Shutdown, "shutdown"},
                                                              {Activity::Running, "running"},
                                                              {Activity::Halted, "idle"},
                                                              {Activity::WaitForSipi, "waiting"}};
  for (const auto& [activity, name] : kNames)
    for (const auto& processor : machine.pc().processors())
      if (processor->cpu.state.activity == activity) return name;
  return "running";
}

Outcome press(Machine& machine, std::string_view button) {
  machine.inbox().post({std::string(button), ButtonEvent{}});
  return Answer{};
}

/// Words of an `options` argument; nothing when one is not among `known`.
std::optional<std::vector<std::string_view>> options_of(const Arguments& arguments,
                                                        std::initializer_list<std::string_view> known) {
  std::vector<std::string_view> options = words_between(arguments.word("options"), ",");
  const auto is_known = [&](std::string_view option) {
    return std::ranges::find(known, option) != known.end();
  };
  if (!std::ranges::all_of(options, is_known)) return std::nullopt;
  return options;
}

Outcome change_medium(Machine& machine, const Arguments& arguments,
                      std::initializer_list<std::string_view> known) {
  const auto options = options_of(arguments, known);
  if (!options) {
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'options' is none of {}.", fmt::join(known, ", "))};
  }
  const auto has = [&](std::string_view word) { return std::ranges::find(*options, word) != options->end(); };
  DiskConfig config;
  config.path = arguments.word("file");
  config.write_through = has("write");
  const Result<Done> asked = machine.media_changes().ask(
      arguments.word("drive"), config, has("force") ? TrayLock::Override : TrayLock::Respect);
  if (!asked) return CommandError{CommandError::Kind::Failed, asked.error().message};
  return Answer{};
}

CommandError failed(const Error& error) { return {CommandError::Kind::Failed, error.message}; }

}  // namespace

Outcome status(Machine& machine, const Arguments&) {
  Answer answer;
  answer.json = {{"state", state_name(machine)},
                 {"instructions", machine.retired()},
                 {"position", position_text(machine.position())},
                 {"virtual_ns", machine.virtual_ns()},
                 {"idle_ns", machine.pc().scheduler().idle_ns()},
                 {"cpus", machine.pc().processors().count()},
                 {"memory_bytes", machine.config().ram_bytes}};
  const auto stretch = machine.stretch();
  if (stretch)
    answer.json["way"] = {
        {"from", stretch->from_retired}, {"to", stretch->to_retired}, {"searches", stretch->search}};
  answer.text = fmt::format(
      "{} at instruction {} ({}), virtual time {:.6f} s (idle {:.6f} s); {} processor{}, {} of memory\n",
      state_name(machine), machine.retired(), position_text(machine.position()),
      static_cast<double>(machine.virtual_ns()) / 1e9,
      static_cast<double>(machine.pc().scheduler().idle_ns()) / 1e9, machine.pc().processors().count(),
      machine.pc().processors().count() == 1 ? "" : "s", size_text(machine.config().ram_bytes));
  if (stretch) answer.text += stretch_text(*stretch, machine.retired()) + '\n';
  return answer;
}

Outcome stop(Machine& machine, const Arguments& arguments) {
  machine.stop();
  return status(machine, arguments);
}

Outcome cont(Machine& machine, const Arguments&) {
  machine.resume();
  return Answer{};
}

Outcome step(Machine& machine, const Arguments& arguments) {
  constexpr u64 kMaxSteps = u64{1} << 62;
  const u64 count = arguments.number("count", 1);
  if (count == 0 || count > kMaxSteps)
    return CommandError{CommandError::Kind::BadArgument, "'count' is not a number of instructions."};
  machine.step(count);
  return Answer{};
}

Outcome quit(Machine& machine, const Arguments&) {
  machine.request_end(ExitReason::Quit, 0);
  return Answer{};
}

Outcome reset(Machine& machine, const Arguments&) { return press(machine, kResetButtonSink); }

Outcome send_break(Machine& machine, const Arguments& arguments) {
  const std::string_view port = arguments.word("port");
  if (port.empty() || port == kCom1Sink) return press(machine, kCom1BreakSink);
  if (port == kCom2Sink) return press(machine, kCom2BreakSink);
  return CommandError{CommandError::Kind::BadArgument, "'port' is neither com1 nor com2."};
}

Outcome gdbserver(Machine& machine, const Arguments& arguments) {
  const Result<std::string> serving = machine.debugger().serve(arguments.word("address"));
  if (!serving) return CommandError{CommandError::Kind::Failed, serving.error().message};
  Answer answer;
  answer.json["address"] = serving.value();
  answer.text = fmt::format("gdb connects by: target remote {}\n", serving.value());
  return answer;
}

Outcome nmi(Machine& machine, const Arguments&) { return press(machine, kNmiButtonSink); }

Outcome powerdown(Machine& machine, const Arguments&) { return press(machine, kPowerButtonSink); }

Outcome eject(Machine& machine, const Arguments& arguments) {
  return change_medium(machine, arguments, {"force"});
}

Outcome change(Machine& machine, const Arguments& arguments) {
  if (arguments.word("file").empty())
    return CommandError{CommandError::Kind::BadArgument, "'file' is empty: 'eject' takes a medium out."};
  return change_medium(machine, arguments, {"force", "write"});
}

Outcome screen(Machine& machine, const Arguments&) {
  Answer answer;
  answer.text = machine.pc().vga().text_screen();
  answer.json["text"] = answer.text;
  return answer;
}

Outcome screenshot(Machine& machine, const Arguments& arguments) {
  const std::string path(arguments.word("file"));
  const Result<std::vector<u8>> content = screen_content(machine.pc().vga(), picture_format_of(path));
  if (!content) return failed(content.error());
  const Result<HostFd> file = exclusive_file(path);
  if (!file) return failed(file.error());
  const devices::BlockStatus stored = host_write(file.value().get(), 0, content.value());
  if (stored != devices::BlockStatus::Ok) return failed(not_written(path, describe(stored)));
  Answer answer;
  answer.json["bytes"] = content.value().size();
  return answer;
}

Outcome dump_guest_memory(Machine& machine, const Arguments& arguments) {
  const std::string path(arguments.word("file"));
  const Result<HostFd> file = exclusive_file(path);
  if (!file) return failed(file.error());
  if (const auto written = write_memory_dump(machine, file.value().get()); !written) {
    unlink(path.c_str());
    return failed(not_written(path, written.error().message));
  }
  Answer answer;
  answer.json["bytes"] = lseek(file.value().get(), 0, SEEK_END);
  return answer;
}

Outcome record(Machine& machine, const Arguments& arguments) {
  const std::string path(arguments.word("file"));
  if (machine.replay() != nullptr)
    return CommandError{CommandError::Kind::Failed, "This run is a replay: copy its recording."};
  if (const Recorder& recorder = machine.recorder(); !recorder.name().empty())
    return CommandError{CommandError::Kind::Failed,
                        fmt::format("The run is recorded in '{}'.", recorder.name())};
  if (const auto may = may_be_replaced_by_recording(path); !may)
    return failed(not_written(path, "it " + may.error().message));
  const Result<Done> begun = machine.recorder().write_to_new(path);
  if (!begun) return CommandError{CommandError::Kind::Failed, begun.error().message};
  Answer answer;
  answer.json["instructions"] = machine.retired();
  answer.text = fmt::format("recorded from the beginning on, and further: {}\n", path);
  return answer;
}

Outcome save(Machine& machine, const Arguments& arguments) {
  std::string_view file = arguments.word("file");
  StateForm form = StateForm::Pages;
  constexpr std::string_view kCompress = ",compress=";
  if (const std::size_t at = file.rfind(kCompress); at != file.npos) {
    const std::string_view how = file.substr(at + kCompress.size());
    if (how != "zstd" && how != "none")
      return CommandError{CommandError::Kind::BadArgument,
                          fmt::format("compress={} is neither zstd nor none.", how.substr(0, 60))};
    if (how == "zstd") form = StateForm::Zstd;
    file = file.substr(0, at);
  }
  const Result<Done> saved = machine.save_file(std::string(file), form);
  if (!saved) return CommandError{CommandError::Kind::Failed, saved.error().message};
  Answer answer;
  answer.json["instructions"] = machine.retired();
  answer.text = fmt::format("saved at instruction {}\n", machine.retired());
  return answer;
}

Outcome print(Machine& machine, const Arguments& arguments) {
  const std::string_view text = arguments.word("expression");
  const std::string_view format = arguments.has("format") ? arguments.word("format") : "x";
  const Result<u64> evaluated =
      evaluate(processor_of(machine, arguments).cpu.state, text, &machine.symbols());
  if (!evaluated)
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'{}' has no value: {}.", text.substr(0, 60), evaluated.error().message)};
  const u64 value = evaluated.value();
  std::string shown;
  if (format == "x")
    shown = hex(value);
  else if (format == "d")
    shown = fmt::format("{}", static_cast<i64>(value));
  else if (format == "u")
    shown = fmt::format("{}", value);
  else if (format == "o")
    shown = fmt::format("{:#o}", value);
  else if (format == "c")
    shown = value >= 0x20 && value < 0x7f ? fmt::format("'{}'", static_cast<char>(value))
                                          : fmt::format("'\\x{:02x}'", value & 0xff);
  else
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'{}' is none of the formats x, d, u, o, c.", format.substr(0, 60))};
  Answer answer;
  answer.json["value"] = hex(value);
  answer.text = shown + '\n';
  return answer;
}

Outcome info_hash(Machine& machine, const Arguments&) {
  Answer answer;
  const u64 hash = machine.state_hash();
  answer.json = {{"instructions", machine.retired()}, {"state_hash", fmt::format("{:016x}", hash)}};
  answer.text = fmt::format("state {} {:016x}\n", machine.retired(), hash);
  return answer;
}

Outcome info_stats(Machine& machine, const Arguments&) {
  Answer answer;
  Pc& pc = machine.pc();
  RunResult so_far;
  so_far.retired = machine.retired();
  so_far.virtual_ns = machine.virtual_ns();
  so_far.idle_ns = pc.scheduler().idle_ns();
  so_far.wall_s = machine.wall_s();
  answer.text = machine.stats(so_far);

  Json processors = Json::array();
  for (const auto& processor : pc.processors()) {
    const mmu::MmuStats& mmu = processor->cpu.mmu.stats();
    const cpu::VcpuCounts& events = processor->vcpu.counts();
    Json faults = Json::object();
    for (const PageFaultKind& kind : page_fault_kinds(events)) faults[kind.name] = kind.count;
    processors.push_back(
        {{"instructions", processor->cpu.state.retired},
         {"exceptions", events.exceptions},
         {"interrupts", events.interrupts},
         {"page_faults", mmu.page_faults},
         {"page_faults_by_kind", std::move(faults)},
         {"page_walks", mmu.walks},
         {"tlb_misses",
          {{"read", mmu.l1_misses[0]}, {"write", mmu.l1_misses[1]}, {"fetch", mmu.l1_misses[2]}}},
         {"second_level_hits", mmu.l2_hits},
         {"tlb_flushes",
          {{"all", mmu.flushes_all},
           {"non_global", mmu.flushes_nonglobal},
           {"page", mmu.flushes_page},
           {"pcid", mmu.flushes_pcid}}},
         {"mmio_reads", mmu.mmio_reads},
         {"mmio_writes", mmu.mmio_writes},
         {"page_crossings", mmu.page_crossings},
         {"code_page_stores", mmu.code_page_stores},
         {"stores_beside_code", mmu.stores_beside_code},
         {"blocks", machine.pc().engines().cache().blocks()},
         {"blocks_invalidated", machine.pc().engines().cache().invalidations()}});
  }
  answer.json = {{"instructions", so_far.retired},
                 {"virtual_ns", so_far.virtual_ns},
                 {"idle_ns", so_far.idle_ns},
                 {"wall_s", so_far.wall_s},
                 {"port_reads", pc.counters().port_reads},
                 {"port_writes", pc.counters().port_writes},
                 {"unclaimed_port_reads", pc.ports().unmapped_reads()},
                 {"unclaimed_port_writes", pc.ports().unmapped_writes()},
                 {"processors", std::move(processors)}};
  return answer;
}

}  // namespace reprise::machine::monitor
