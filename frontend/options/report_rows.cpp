// What a run tells beside the guest's own output.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/log.h"
#include "frontend/options/jobs_row.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/symbols_row.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"

namespace reprise::frontend {
namespace {

/// The categories of "disk:info,warn", each with what it was written for.
void check_categories(const Given& given) {
  for (const std::string& word : words_of_list(given)) {
    const std::string category = word.substr(0, word.find(':'));
    const bool level_alone = category == word && is_log_level(word);
    if (level_alone || category == "all" ||
        std::ranges::find(kLogCategories, category) != kLogCategories.end())
      continue;
    throw BadValue{fmt::format("{} '{}' is no category: there are all, {}", given.name, category,
                               fmt::join(kLogCategories, ", "))};
  }
}

void set_log(RunDraft& draft, const Given& given) {
  refuse_empty_parts(given);
  if (!Log().configure(given.value)) {
    throw BadValue{
        fmt::format("{} '{}' is not a list of CATEGORY[:LEVEL]; levels are error, warn, info, debug, trace",
                    given.name, given.value)};
  }
  check_categories(given);
  draft.options.log_spec = given.value;
}

/// "0/0xffffffffc0002010,1/0x401000".
void set_turns_at(RunDraft& draft, const Given& given) {
  for (const std::string& word : words_of_list(given)) {
    const std::size_t slash = word.find('/');
    const auto processor = parse_number(word.substr(0, slash));
    const auto linear = slash == word.npos ? std::nullopt : parse_number(word.substr(slash + 1));
    constexpr u64 kMostProcessors = 64;
    if (!processor || !linear || *processor >= kMostProcessors)
      throw BadValue{
          fmt::format("{} '{}' is no PROCESSOR/ADDRESS such as 0/0xffffffffc0002010", given.name, word)};
    draft.options.turns_at.push_back({static_cast<unsigned>(*processor), *linear});
  }
}

void set_trace(RunDraft& draft, const Given& given) {
  draft.options.trace = {};
  for (const std::string& name : words_of_list(given)) {
    const std::optional<machine::TraceKind> kind = machine::trace_kind_of_name(name);
    if (!kind)
      throw BadValue{fmt::format("{} '{}' is unknown: there are {}", given.name, name,
                                 fmt::join(machine::trace_kind_names(), ", "))};
    draft.options.trace.add(*kind);
  }
}

constexpr RunOption kReportRows[] = {
    {.name = "--monitor",
     .value = "unix:PATH",
     .help = "answer questions and commands there (docs/monitor.md)",
     .words = "unix:",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.monitor_path = want(given, parse_monitor(given.value), "unix:PATH");
         }},
    {.name = "--record",
     .value = "FILE",
     .shown = Shown::SameLine,
     .help = "keeps what repeats the run",
     .more = "For reprise replay FILE, written as it happens: one that was killed can be replayed up to "
             "there. The "
             "monitor's record writes one of a run that began without. docs/recording.md.",
     .set =
         [](RunDraft& draft, const Given& given) {
           if (given.value == "-")
             throw BadValue{"--record takes the name of a file: standard output has the guest's console"};
           draft.options.record_path = given.value;
         }},
    {.name = "--gdb",
     .value = "ADDRESS",
     .help = "let gdb connect: tcp:PORT, unix:PATH, -",
     .more = "- is stdio; tcp:[HOST:]PORT where HOST is an address of this host's loopback; port 0 is a free "
             "one, which "
             "is said on "
             "stderr. What the guest does is the same with a debugger and without; docs/debugging.md.",
     .words = "tcp:1234 unix: -",
     .set =
         [](RunDraft& draft, const Given& given) {
           const Result<GdbAddress> address = parse_gdb_address(given.value);
           if (!address)
             throw BadValue{fmt::format("{} '{}' {}", given.name, given.value, address.error().message)};
           draft.options.gdb = address.value();
         }},
    {.name = "--paused",
     .shown = Shown::Name,
     .help = "wait for it first",
     .more = "Before the first instruction; cont in the monitor does, too.",
     .set = [](RunDraft& draft, const Given&) { draft.options.paused = true; }},
    {.name = "--checkpoints",
     .value = "on|off",
     .shown = Shown::Name,
     .help = "keep checkpoints, to go back in the run (on with --gdb)",
     .more = "On, too, in a replay with --monitor. They are in memory, and the guest does not see them. off "
             "keeps "
             "one of the beginning where there is a terminal or --monitor; docs/time-travel.md.",
     .words = "on off",
     .set =
         [](RunDraft& draft, const Given& given) {
           if (given.value != "on" && given.value != "off")
             throw BadValue{fmt::format("{} '{}' is neither on nor off", given.name, given.value)};
           draft.options.config.history.on = given.value == "on";
         }},
    {.name = "--keep-checkpoints",
     .value = "N",
     .shown = Shown::Name,
     .help = "keep one in a file each N instructions, for replay --begin and ask --begin",
     .more = "In the folder FILE.checkpoints beside the recording, which --record writes or reprise replay "
             "follows. Each takes what the guest has of memory that is not zero, and what it wrote to its "
             "disks; 8589934592 is one in some ten seconds. docs/recording.md.",
     .set =
         [](RunDraft& draft, const Given& given) {
           constexpr u64 kLeast = 1'000'000;
           const u64 every = want_number(given);
           if (every < kLeast)
             throw BadValue{
                 fmt::format("{} {} is less than {}: each takes up to what the guest has of memory",
                             given.name, every, kLeast)};
           draft.options.keep_every_retired = every;
         }},
    {.name = "--json",
     .value = "FILE",
     .help = "at the end: a report of the run",
     .more = "- is standard output. It has all that repeats the run; docs/command.md.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.json_path = given.value; }},
    {.name = "--stats",
     .shown = Shown::SameLine,
     .help = "counters on stderr",
     .set = [](RunDraft& draft, const Given&) { draft.options.stats = true; }},
    {.name = "--checkpoint-memory",
     .value = "SIZE",
     .shown = Shown::Name,
     .help = "what checkpoints may take of the host's memory (default 1G)",
     .more = "Older ones are the first to be thinned out; the first one stays.",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.config.history.bytes =
               want(given, parse_size(given.value), "a size such as 512M or 2G");
         }},
    kJobsRow,
    {.name = "--report",
     .value = "FILE.html",
     .help = "at the end: a page that shows what virtual memory did",
     .more = "One file for a browser, with pictures over guest time and the numbers behind them: page "
             "faults, working "
             "sets, the TLB. The run is slower, and otherwise the same. docs/report.md.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.memory_page_path = given.value; }},
    {.name = "--from",
     .value = "N",
     .shown = Shown::Name,
     .help = "--report, --trace and --coverage begin there",
     .more = "At a position as messages name it: @41203118554, also without the @. They end with the run: "
             "--stop-at "
             "N, or --to N of a replay.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.observers_from = want_instant(given); }},
    {.name = "--verbose",
     .shown = Shown::Name,
     .help = "say what was chosen",
     .more = "Where the command leaves a choice.",
     .set = [](RunDraft& draft, const Given&) { draft.options.verbose = true; }},
    {.name = "--dump-memory",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "at the end: the guest's memory as an ELF core, for crash and drgn",
     .more = "Of a replay: at the instant of --to. docs/debugging.md.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.memory_dump_path = given.value; }},
    {.name = "--sound",
     .value = "TARGET",
     .help = "plays speaker and sound card: none (default), sdl (on the host) or wav:FILE",
     .more = "A WAV file has 48 kHz stereo, the same in every run; silence longer than a second is a second "
             "long there. The card is --device AC97 (docs/sound.md).",
     .words = "none sdl wav:",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.sound = want(given, parse_sound(given.value), "none, sdl or wav:FILE");
         }},
    // Both are answered wherever they stand, before the other words are looked at.
    {.name = "--help",
     .shown = Shown::Name,
     .help = "lists the options",
     .set = [](RunDraft&, const Given&) {}},
    {.name = "--version",
     .shown = Shown::Name,
     .help = "says which version and build this is",
     .set = [](RunDraft&, const Given&) {}},
    {.name = "--dump-screen",
     .value = "FILE",
     .help = "at the end: the screen; .png and .ppm are pictures, others text (- for stdout)",
     .set = [](RunDraft& draft, const Given& given) { draft.options.screen_path = given.value; }},
    kSymbolsRow,
    {.name = "--log",
     .value = "SPEC",
     .help = "CATEGORY[:LEVEL],... on stderr: error warn info debug trace; all",
     .more = "Categories: cpu, disk, guest (what it writes to the debug ports), msr, watchdog.",
     .words = "all cpu disk guest msr watchdog",
     .set = set_log},
    {.name = "--turns",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "with several processors: a line for each turn that ended",
     .more = "Who handed over to whom after how many of its instructions, where, and at which position; "
             "--schedule file:FILE gives the same turns again. --symbols adds names.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.turns_path = given.value; }},
    {.name = "--turns-at",
     .value = "LIST",
     .shown = Shown::Name,
     .help = "with --turns: a line each time a processor comes to a place",
     .more = "0/0xffffffffc0002010: processor 0 to that linear address, told as a turn that it hands to "
             "itself would be, behind "
             "a '#', for people.",
     .set = set_turns_at},
    {.name = "--trace",
     .value = "LIST",
     .help = "a line for each insn,branch,irq,syscall,page-fault,pio,mmio",
     .more = "On stderr. pio and mmio are accesses to devices, irq is what is delivered, exceptions too. The "
             "run is "
             "the same, "
             "and slower with insn and branch; --from says where the trace begins. docs/tracing.md.",
     .words = "insn branch irq syscall page-fault pio mmio",
     .set = set_trace},
    {.name = "--trace-file",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "the lines of --trace go there (- for standard output)",
     .set = [](RunDraft& draft, const Given& given) { draft.options.trace_path = given.value; }},
    {.name = "--coverage",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "at the end: which code was executed",
     .more = "A line for each range of linear addresses, in the kernel's rights and in programs'. With a "
             "name that "
             "ends in .info: the kernel's lines of source, for lcov and genhtml, by --symbols vmlinux. Exact "
             "on every "
             "engine, and nearly as fast as without. docs/tracing.md.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.coverage_path = given.value; }},
};

}  // namespace

std::span<const RunOption> report_rows() { return kReportRows; }

}  // namespace reprise::frontend
