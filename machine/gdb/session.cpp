#include "machine/gdb/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/gdb/packet.h"
#include "machine/history/instant_text.h"

namespace reprise::machine::gdb {
namespace {

// Numbers of signals in the protocol.
constexpr unsigned kSigint = 2;
constexpr unsigned kSigtrap = 5;

// Answers that tell of errors; clients show the number at most.
const std::string kOk = "OK";
const std::string kBadArgument = "E16";  // EINVAL
const std::string kBadAddress = "E0e";   // EFAULT
const std::string kTooMany = "E1c";      // ENOSPC
const std::string kUnsupported;          // that packet is unknown

constexpr std::size_t kMaxStops = 4096;
constexpr u64 kMaxWatchedBytes = 0x10000;
/// Hexadecimal digits of one packet with output of a command.
constexpr std::size_t kOutputBytes = kMaxPayloadBytes / 4;

/// Takes what is before `separator` away from `text`; all of it where there is none.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view first = text.substr(0, at);
  text = at == text.npos ? std::string_view() : text.substr(at + 1);
  return first;
}

std::string thread_name(unsigned processor) { return fmt::format("{:x}", processor + 1); }

std::string activity_text(const cpu::CpuState& state) {
  switch (state.activity) {
    case cpu::Activity::Running: return "running";
    case cpu::Activity::Halted: return "halted";
    case cpu::Activity::WaitForSipi: return "waits for SIPI";
    case cpu::Activity::Shutdown: break;
  }
  return "shut down";
}

}  // namespace

// Named packets, the longer name first where one begins as another does. What follows the name, without the ':', ';' or ','
// between, are its arguments.
const Session::Named Session::kNamed[] = {
    {"qSupported", &Session::supported},
    {"qC", &Session::current_thread},
    {"qfThreadInfo", &Session::first_threads},
    {"qsThreadInfo", &Session::more_threads},
    {"qThreadExtraInfo", &Session::thread_info},
    {"qXfer:features:read", &Session::description},
    {"qAttached", &Session::attached},
    {"qSymbol", &Session::symbols},
    {"qRcmd", &Session::command},
    {"qqemu.PhyMemMode", &Session::memory_mode},
    {"Qqemu.PhyMemMode", &Session::set_memory_mode},
    {"QStartNoAckMode", &Session::start_no_ack},
    {"vCont?", &Session::actions},
    {"vCont", &Session::act},
    {"vKill", &Session::kill},
    {"bs", &Session::step_back},
    {"bc", &Session::run_back},
    {"g", &Session::read_registers},
    {"G", &Session::write_registers},
    {"p", &Session::read_register},
    {"P", &Session::write_register},
    {"m", &Session::read_memory},
    {"M", &Session::write_memory_hex},
    {"X", &Session::write_memory_binary},
    {"H", &Session::choose_thread},
    {"T", &Session::is_alive},
    {"Z", &Session::insert},
    {"z", &Session::remove},
    {"c", &Session::go_on},
    {"C", &Session::go_on},
    {"s", &Session::step},
    {"S", &Session::step},
    {"?", &Session::why},
    {"k", &Session::kill},
    {"D", &Session::detach},
};

Session::Session(monitor::Monitor& monitor, Say say)
    : monitor_(monitor),
      machine_(monitor.machine()),
      debugger_(machine_.debugger()),
      say_(std::move(say)),
      chosen_(machine_.pc().processors().running_index()) {
  machine_.stop();
  machine_.begin_to_keep_history();
}

Session::~Session() {
  for (const auto& [key, breakpoint] : breakpoints_) debugger_.remove(breakpoint);
  for (const auto& [key, watchpoint] : watchpoints_) debugger_.remove(watchpoint);
}

Answers Session::take(std::string_view payload) {
  Answers answers;
  answers_ = &answers;
  const bool waited = waits_ != Waits::No;
  std::string text = answer(payload);
  answers_ = nullptr;
  // What lets the guest go is answered when it stands still again.
  if (waits_ == Waits::No || waited) answers.payloads.push_back(std::move(text));
  return answers;
}

std::string Session::answer(std::string_view payload) {
  for (const Named& named : kNamed) {
    if (!payload.starts_with(named.name)) continue;
    std::string_view arguments = payload.substr(named.name.size());
    const bool is_word = named.name.size() > 1;
    // "qC" is not the beginning of "qCRC".
    if (is_word && !arguments.empty() && std::string_view(":;,").find(arguments.front()) == arguments.npos)
      continue;
    if (is_word && !arguments.empty()) arguments.remove_prefix(1);
    return (this->*named.handler)(arguments);
  }
  return kUnsupported;
}

// --- Registers ---

std::string Session::read_registers(std::string_view) { return to_hex(read_all(chosen())); }

void Session::say_of_change(bool had_changed) {
  if (!had_changed && debugger_.has_changed_guest())
    say_(fmt::format(
        "a debugger has changed the guest at instruction {}: from here on the run is a branch, and no longer "
        "follows from its command.",
        machine_.retired()));
}

std::string Session::write_registers(std::string_view arguments) {
  const std::optional<std::string> bytes = from_hex(arguments);
  if (!bytes) return kBadArgument;
  std::vector<NewValue> values;
  std::size_t at = 0;
  for (std::size_t i = 0; i < registers().size() && at + registers()[i].bytes <= bytes->size(); ++i) {
    values.push_back({i, std::string_view(*bytes).substr(at, registers()[i].bytes)});
    at += registers()[i].bytes;
  }
  if (at != bytes->size() || !write(chosen(), values)) return kBadArgument;
  const bool had_changed = debugger_.has_changed_guest();
  debugger_.moved(chosen_);
  say_of_change(had_changed);
  return kOk;
}

std::string Session::read_register(std::string_view arguments) {
  const std::optional<u64> number = number_of(arguments);
  if (!number || *number >= registers().size()) return kBadArgument;
  return to_hex(read(chosen(), registers()[*number]));
}

std::string Session::write_register(std::string_view arguments) {
  const std::optional<u64> number = number_of(cut(arguments, '='));
  const std::optional<std::string> bytes = from_hex(arguments);
  if (!number || *number >= registers().size() || !bytes || bytes->size() != registers()[*number].bytes)
    return kBadArgument;
  const NewValue value{*number, *bytes};
  if (!write(chosen(), {&value, 1})) return kBadArgument;
  const bool had_changed = debugger_.has_changed_guest();
  debugger_.moved(chosen_);
  say_of_change(had_changed);
  return kOk;
}

// --- Memory ---

std::optional<Session::Place> Session::place_of(std::string_view text) const {
  const std::optional<u64> address = number_of(cut(text, ','));
  const std::optional<u64> bytes = number_of(text);
  if (!address || !bytes) return std::nullopt;
  return Place{*address, *bytes};
}

std::optional<u64> Session::phys_of(u64 address) {
  if (phys_mode_) return address;
  u64 phys = 0;
  if (!chosen().cpu.mmu.peek_translate(address, phys)) return std::nullopt;
  return phys;
}

std::string Session::read_memory(std::string_view arguments) {
  const std::optional<Place> place = place_of(arguments);
  if (!place) return kBadArgument;
  // What cannot be read ends it; the part before is an answer.
  const u64 wanted = std::min<u64>(place->bytes, kMaxPayloadBytes);
  std::string bytes;
  while (bytes.size() < wanted) {
    const u64 address = place->address + bytes.size();
    const std::optional<u64> phys = phys_of(address);
    if (!phys) break;
    const mmu::PhysMap::Target target = machine_.pc().phys_map().find(*phys);
    if (target.host == nullptr) break;
    const u64 piece =
        std::min({wanted - bytes.size(), kPageBytes - (address & ~kPageMask), target.bytes_left});
    bytes.append(reinterpret_cast<const char*>(target.host), piece);
  }
  return bytes.empty() && wanted != 0 ? kBadAddress : to_hex(bytes);
}

std::string Session::write_memory(Place place, std::string_view bytes) {
  if (bytes.size() != place.bytes) return kBadArgument;
  // All of it, or nothing.
  struct Piece {
    u64 phys;
    std::string_view bytes;
  };
  std::vector<Piece> pieces;
  for (u64 done = 0; done < bytes.size();) {
    const u64 address = place.address + done;
    const std::optional<u64> phys = phys_of(address);
    if (!phys) return kBadAddress;
    const mmu::PhysMap::Target target = machine_.pc().phys_map().find(*phys);
    if (target.kind != mmu::PhysMap::Kind::Ram) return kBadAddress;
    const u64 piece = std::min({bytes.size() - done, kPageBytes - (address & ~kPageMask), target.bytes_left});
    pieces.push_back({*phys, bytes.substr(done, piece)});
    done += piece;
  }
  if (pieces.empty()) return kOk;
  const bool had_changed = debugger_.has_changed_guest();
  for (const Piece& piece : pieces)
    debugger_.write_memory(piece.phys, {reinterpret_cast<const u8*>(piece.bytes.data()), piece.bytes.size()});
  say_of_change(had_changed);
  return kOk;
}

std::string Session::write_memory_hex(std::string_view arguments) {
  const std::optional<Place> place = place_of(cut(arguments, ':'));
  const std::optional<std::string> bytes = from_hex(arguments);
  return place && bytes ? write_memory(*place, *bytes) : kBadArgument;
}

std::string Session::write_memory_binary(std::string_view arguments) {
  const std::optional<Place> place = place_of(cut(arguments, ':'));
  return place ? write_memory(*place, arguments) : kBadArgument;
}

std::string Session::memory_mode(std::string_view) { return phys_mode_ ? "1" : "0"; }

std::string Session::set_memory_mode(std::string_view arguments) {
  if (arguments != "0" && arguments != "1") return kBadArgument;
  phys_mode_ = arguments == "1";
  return kOk;
}

// --- Threads ---

std::optional<unsigned> Session::processor_of(std::string_view thread) const {
  const std::optional<u64> number = number_of(thread);
  if (!number || *number == 0 || *number > machine_.pc().processors().count()) return std::nullopt;
  return static_cast<unsigned>(*number - 1);
}

std::string Session::choose_thread(std::string_view arguments) {
  if (arguments.size() < 2 || (arguments[0] != 'g' && arguments[0] != 'c')) return kBadArgument;
  const std::string_view thread = arguments.substr(1);
  // 0: any; -1: all. Who goes on is said by vCont.
  if (thread == "0" || thread == "-1" || arguments[0] == 'c') return kOk;
  const std::optional<unsigned> processor = processor_of(thread);
  if (!processor) return kBadArgument;
  chosen_ = *processor;
  return kOk;
}

std::string Session::is_alive(std::string_view arguments) {
  return processor_of(arguments) ? kOk : kBadArgument;
}

std::string Session::current_thread(std::string_view) { return "QC" + thread_name(chosen_); }

std::string Session::first_threads(std::string_view) {
  std::string text = "m";
  for (unsigned i = 0; i < machine_.pc().processors().count(); ++i)
    text += (i == 0 ? "" : ",") + thread_name(i);
  return text;
}

std::string Session::more_threads(std::string_view) { return "l"; }

std::string Session::thread_info(std::string_view arguments) {
  const std::optional<unsigned> processor = processor_of(arguments);
  if (!processor) return kBadArgument;
  const Processors& processors = machine_.pc().processors();
  return to_hex(fmt::format("CPU {}, {}{}", *processor, activity_text(processors.at(*processor).cpu.state),
                            *processor == processors.running_index() ? ", its turn" : ""));
}

// --- Breakpoints and watchpoints ---

std::string Session::insert(std::string_view arguments) {
  const std::optional<u64> kind = number_of(cut(arguments, ','));
  // Conditions and commands were not offered.
  const std::optional<Place> place = place_of(arguments);
  if (!kind || !place) return kBadArgument;
  if (*kind > 4) return kUnsupported;
  if (breakpoints_.size() + watchpoints_.size() >= kMaxStops) return kTooMany;
  const unsigned which = static_cast<unsigned>(*kind);
  if (which <= 1) {
    const auto [entry, is_new] = breakpoints_.try_emplace({which, place->address});
    if (!is_new) return kOk;
    const auto root = roots_.find(place->address);
    entry->second = {place->address, root == roots_.end() ? std::nullopt : std::optional(root->second)};
    debugger_.add(entry->second);
    return kOk;
  }
  if (place->bytes == 0 || place->bytes > kMaxWatchedBytes ||
      place->address + (place->bytes - 1) < place->address)
    return kBadArgument;
  const auto [entry, is_new] = watchpoints_.try_emplace({which, place->address, place->bytes, phys_mode_});
  if (!is_new) return kOk;
  using cpu::Watchpoint;
  constexpr Watchpoint::On kOn[] = {Watchpoint::On::Write, Watchpoint::On::Read, Watchpoint::On::Access};
  entry->second = {phys_mode_ ? Watchpoint::Space::Phys : Watchpoint::Space::Linear, kOn[which - 2],
                   place->address, place->bytes};
  debugger_.add(entry->second);
  return kOk;
}

std::string Session::remove(std::string_view arguments) {
  const std::optional<u64> kind = number_of(cut(arguments, ','));
  const std::optional<Place> place = place_of(arguments);
  if (!kind || !place) return kBadArgument;
  if (*kind > 4) return kUnsupported;
  const unsigned which = static_cast<unsigned>(*kind);
  // One that is not there may be taken away, as the protocol has it.
  if (const auto breakpoint = breakpoints_.find({which, place->address}); breakpoint != breakpoints_.end()) {
    debugger_.remove(breakpoint->second);
    breakpoints_.erase(breakpoint);
  }
  // The client may have changed the mode since.
  for (const bool phys : {phys_mode_, !phys_mode_}) {
    const auto watchpoint = watchpoints_.find({which, place->address, place->bytes, phys});
    if (watchpoint == watchpoints_.end()) continue;
    debugger_.remove(watchpoint->second);
    watchpoints_.erase(watchpoint);
    break;
  }
  return kOk;
}

/// `monitor bind ADDRESS [CR3|any]`.
std::string Session::bind(std::string_view words) {
  std::vector<std::string_view> list = words_between(words, " ");
  std::erase(list, "");
  const std::optional<u64> address = list.empty() ? std::nullopt : parse_number(list[0]);
  if (!address || list.size() > 2)
    return "bind ADDRESS [CR3]: breakpoints at ADDRESS, a number, stop only in the address space with this "
           "CR3, by default "
           "that of the processor that is looked at; bind ADDRESS any: in all again.\n";
  const bool any = list.size() == 2 && list[1] == "any";
  std::optional<u64> root = chosen().cpu.state.cr3;
  if (list.size() == 2 && !any) root = parse_number(list[1]);
  if (!root) return fmt::format("'{}' is no CR3.\n", list[1].substr(0, 40));
  *root &= cpu::DebugStops::kRootMask;
  if (any)
    roots_.erase(*address);
  else if (roots_.size() < kMaxStops)
    roots_[*address] = *root;
  for (auto& [key, breakpoint] : breakpoints_) {
    if (breakpoint.linear != *address) continue;
    debugger_.remove(breakpoint);
    breakpoint.root = any ? std::nullopt : root;
    debugger_.add(breakpoint);
  }
  return any ? fmt::format("Breakpoints at {:#x} stop in every address space.\n", *address)
             : fmt::format("Breakpoints at {:#x} stop only while CR3 is {:#x}.\n", *address, *root);
}

// --- Going on and standing still ---

std::string Session::resume() {
  waits_ = Waits::ForStop;
  just_came_ = false;
  machine_.resume();
  return {};
}

std::string Session::travel(const Result<Done>& begun) {
  if (!begun) return "E." + begun.error().message;
  waits_ = Waits::ForStop;
  just_came_ = false;
  return {};
}

std::string Session::step_back(std::string_view) { return travel(machine_.step_back(chosen_)); }

std::string Session::run_back(std::string_view) { return travel(machine_.run_back()); }

std::string Session::go_on(std::string_view arguments) {
  // With a signal before it or an address behind it: neither means anything here.
  return arguments.find(';') != arguments.npos ? kBadArgument : resume();
}

std::string Session::step(std::string_view arguments) {
  if (arguments.find(';') != arguments.npos) return kBadArgument;
  debugger_.step(chosen_);
  return resume();
}

std::string Session::actions(std::string_view) { return "vCont;c;C;s;S;r"; }

/// "s:2;c" and the like: the first action that is meant for a thread is its.
std::string Session::act(std::string_view arguments) {
  struct Step {
    unsigned processor;
    RipRange range;
  };
  const unsigned count = machine_.pc().processors().count();
  std::vector<bool> decided(count);
  std::vector<Step> steps;
  if (arguments.empty()) return kBadArgument;
  while (!arguments.empty()) {
    std::string_view rest = cut(arguments, ';');
    const std::string_view verb = cut(rest, ':');
    if (verb.empty() || std::string_view("cCsSr").find(verb[0]) == std::string_view::npos)
      return kBadArgument;
    RipRange range;
    if (verb[0] == 'r') {
      std::string_view text = verb.substr(1);
      const std::optional<u64> begin = number_of(cut(text, ','));
      const std::optional<u64> end = number_of(text);
      if (!begin || !end) return kBadArgument;
      range = {*begin, *end};
    }
    const bool all = rest.empty() || rest == "-1";
    const std::optional<unsigned> one = all ? std::nullopt : processor_of(rest);
    if (!all && !one) return kBadArgument;
    for (unsigned i = 0; i < count; ++i) {
      if (decided[i] || (one && *one != i)) continue;
      decided[i] = true;
      if (verb[0] != 'c' && verb[0] != 'C') steps.push_back({i, range});
    }
  }
  for (Step& each : steps) {
    // Ranges are of linear addresses, as gdb's program counter is.
    const cpu::CpuState& state = machine_.pc().processors().at(each.processor).cpu.state;
    const u64 base = cpu::mode_key(state).is64() ? 0 : state.seg[cpu::CS].base;
    debugger_.step(each.processor, {each.range.begin - base, each.range.end - base});
  }
  return resume();
}

void Session::interrupt() { machine_.stop(); }

std::vector<std::string> Session::stop_answers() {
  if (waits_ == Waits::No || !machine_.stopped()) return {};
  const Waits waited = std::exchange(waits_, Waits::No);
  const DebugStop& stop = debugger_.last_stop();
  chosen_ = stop.processor;
  if (waited == Waits::ForCommand)
    return {"O" + to_hex(fmt::format("{}: 'maintenance flush register-cache' shows it.\n",
                                     position_text(machine_.position()))),
            kOk};
  std::vector<std::string> answers;
  if (const std::string* const ending = machine_.held_ending(); ending != nullptr)
    answers.push_back("O" + to_hex(fmt::format("The run ends here, when it goes on: {}.\n", *ending)));
  answers.push_back(stop_text(stop));
  return answers;
}

std::optional<std::string> Session::progress() const {
  const auto stretch = machine_.stretch();
  if (!stretch) return std::nullopt;
  return "O" + to_hex(stretch_text(*stretch, machine_.retired()) + '\n');
}

std::string Session::why(std::string_view) {
  if (!machine_.stopped()) machine_.stop();
  if (just_came_) return fmt::format("T{:02x}thread:{};", kSigtrap, thread_name(chosen_));
  return stop_text(debugger_.last_stop());
}

std::string Session::stop_text(const DebugStop& stop) const {
  const unsigned signal = stop.reason == DebugStop::Reason::Asked ? kSigint : kSigtrap;
  std::string text = fmt::format("T{:02x}thread:{};", signal, thread_name(stop.processor));
  if (stop.reason == DebugStop::Reason::Breakpoint && tells_reason_) {
    text += breakpoints_.contains({1, stop.hit.linear}) ? "hwbreak:;" : "swbreak:;";
  } else if (stop.reason == DebugStop::Reason::Watchpoint) {
    constexpr std::string_view kKinds[] = {"watch", "rwatch", "awatch"};
    const cpu::Watchpoint& watchpoint = stop.hit.watchpoint;
    // Clients look for the address among those that they asked for.
    fmt::format_to(std::back_inserter(text), "{}:{:x};", kKinds[static_cast<unsigned>(watchpoint.on)],
                   std::max(watchpoint.address, stop.hit.address));
  }
  if (stop.reason == DebugStop::Reason::HistoryBegins) text += "replaylog:begin;";
  if (stop.reason == DebugStop::Reason::HistoryEnds) text += "replaylog:end;";
  return text;
}

std::string Session::kill(std::string_view) {
  machine_.request_end(ExitReason::Quit, 0);
  answers_->leaves = true;
  return kOk;
}

std::string Session::detach(std::string_view) {
  answers_->leaves = true;
  for (const auto& [key, breakpoint] : breakpoints_) debugger_.remove(breakpoint);
  for (const auto& [key, watchpoint] : watchpoints_) debugger_.remove(watchpoint);
  breakpoints_.clear();
  watchpoints_.clear();
  // Nobody holds the run at its end any more, which may be near.
  debugger_.on_stop(nullptr);
  machine_.resume();
  return kOk;
}

// --- About the protocol ---

std::string Session::supported(std::string_view arguments) {
  tells_reason_ = arguments.find("swbreak+") != arguments.npos;
  return fmt::format("PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+{}{}",
                     kMaxPayloadBytes, tells_reason_ ? ";swbreak+;hwbreak+" : "",
                     machine_.check_can_go_back() ? ";ReverseStep+;ReverseContinue+" : "");
}

std::string Session::description(std::string_view arguments) {
  if (cut(arguments, ':') != "target.xml") return kBadArgument;
  const std::optional<Place> part = place_of(arguments);
  if (!part) return kBadArgument;
  const std::string& text = target_description();
  if (part->address >= text.size()) return "l";
  const u64 count = std::min<u64>(part->bytes, kMaxPayloadBytes / 2);
  return (part->address + count < text.size() ? "m" : "l") + text.substr(part->address, count);
}

/// "1": whoever leaves lets it go on.
std::string Session::attached(std::string_view) { return "1"; }

std::string Session::symbols(std::string_view) { return kOk; }

std::string Session::start_no_ack(std::string_view) {
  answers_->no_ack = true;
  return kOk;
}

std::string Session::command(std::string_view arguments) {
  const std::optional<std::string> line = from_hex(arguments);
  if (!line) return kBadArgument;
  std::string text;
  std::string_view words = *line;
  if (words == "bind" || words.starts_with("bind ")) {
    text = bind(words.substr(4));
  } else if (const monitor::Outcome outcome = monitor_.execute_line(words); outcome) {
    text = outcome.value().text;
  } else {
    text = outcome.error().message + '\n';
  }
  // What goes to another instant is answered there.
  if (machine_.travels()) waits_ = Waits::ForCommand;
  for (std::size_t at = 0; at < text.size(); at += kOutputBytes)
    answers_->payloads.push_back("O" + to_hex(std::string_view(text).substr(at, kOutputBytes)));
  return kOk;
}

}  // namespace reprise::machine::gdb
