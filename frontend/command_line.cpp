#include "frontend/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/nearest.h"
#include "common/words.h"
#include "frontend/manual/formats.h"
#include "frontend/options/manual_rows.h"
#include "frontend/options/origin.h"
#include "frontend/options/qemu_words.h"
#include "frontend/options/replay_rows.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/take_words.h"
#include "frontend/questions.h"
#include "frontend/test/guest_files.h"
#include "frontend/test/test_rows.h"
#include "frontend/version.h"
#include "machine/board/engine_factory.h"
#include "machine/record/recording.h"
#include "machine/snapshot/state_file.h"
#include "machine/storage/run_files.h"

namespace reprise::frontend {
namespace {

constexpr std::string_view kHelp = R"(usage: reprise run [IMAGE...] [--kernel FILE] [OPTION...]
       reprise replay RECORDING [OPTION...]
       reprise ask RECORDING QUESTION [OPTION...]
       reprise pack RECORDING [--output FILE]
       reprise test -k KERNEL [OPTION...] -- COMMAND
       reprise merge OUT... [OPTION...]
       reprise qemu ...
       reprise image create | info | commit ...
       reprise manual man | bash | options
       reprise --help | --version

A full-system x86-64 PC emulator. The same command gives the same run, instruction by instruction.
`reprise run --help` lists the options, `reprise qemu -help` those of QEMU's command line, `reprise image --help`
what can be done with disk images, `reprise manual --help` the forms in which this program describes itself.
)";

/// A file that a command names cannot be used: 20 when the host does not give it, 2 when it is not what the command needs.
EarlyExit refused(const Error& error) {
  const auto reason =
      error.kind == ErrorKind::Usage ? machine::ExitReason::Usage : machine::ExitReason::HostError;
  return {machine::exit_code_of(reason), fmt::format("reprise: {}\n", in_one_line(error.message))};
}

std::variant<RunOptions, EarlyExit> parse_run(const std::vector<std::string>& words) {
  if (std::ranges::find(words, "--version") != words.end()) return EarlyExit{0, version_line()};
  if (asks_for_help(words)) return EarlyExit{0, help_text(run_manual())};
  RunDraft draft;
  draft.options.config.engine = machine::engine_of_name(machine::default_engine_name()).value();
  try {
    if (const std::string path = state_to_load(words); !path.empty()) {
      const auto state = machine::StateFileReader::open(path);
      if (!state) return refused(state.error());
      machine::RunOrigin origin = machine::load_origin(state.value()->stream());
      if (const auto read = state.value()->stream().result(); !read)
        return EarlyExit{2, fmt::format("reprise: saved state '{}': {}\n", in_one_line(path),
                                        in_one_line(read.error().message))};
      take_origin(std::move(origin), draft, Names::OfThisFolder);
    }
    std::set<std::string_view> given = apply_words(run_option_groups(), words, draft, instead_of_qemu_word);
    if (!draft.options.load_path.empty() && given.contains("--rtc"))
      throw BadValue{"--rtc has no effect with --load: the clock of the machine goes on from the state"};
    draft.given_here = given;
    draft.given.merge(given);
    if (!draft.answer.empty()) return EarlyExit{0, draft.answer};
    check_together(draft);
    if (!draft.options.moved.empty() && draft.options.load_path.empty())
      throw BadValue{"--image says where files of a saved state's run are: it needs --load"};
    draft.options.config.files = std::make_shared<machine::RunFiles>(draft.options.moved);
    if (!draft.options.load_path.empty()) draft.options.config.files->begin_with_state();
    draft.options.config.origin = origin_of(draft, words);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "run");
  }
  return std::move(draft.options);
}

/// What a command needs of the recording that it names. Throws BadValue.
std::optional<EarlyExit> take_recording(RunDraft& draft, const std::vector<std::string>& words,
                                        std::span<const OptionGroup<RunDraft>> groups) {
  draft.options.config.engine = machine::engine_of_name(machine::default_engine_name()).value();
  // Which file it is, before what it says.
  RunDraft named;
  apply_words(groups, words, named);
  const auto recording = machine::Recording::open(named.options.replay_path);
  if (!recording) return refused(recording.error());
  const machine::RecordedRun& run = recording.value()->run();
  // Names of files may be something that the guest sees: they stay as they were.
  take_origin({run.program, run.folder, run.words}, draft, Names::OfItsFolder);
  draft.given.merge(apply_words(groups, words, draft));
  draft.options.config.replayed = true;
  draft.options.config.origin.program = build_text();
  draft.options.config.files =
      std::make_shared<machine::RunFiles>(run.folder, recording.value()->take_content(), draft.options.moved);
  draft.options.load_path = run.state;
  draft.options.limits.on_panic = machine::OnPanic::Continue;
  return std::nullopt;
}

std::variant<RunOptions, EarlyExit> parse_replay(const std::vector<std::string>& words) {
  if (asks_for_help(words)) return EarlyExit{0, help_text(replay_manual())};
  RunDraft draft;
  try {
    if (auto exit = take_recording(draft, words, replay_option_groups())) return *std::move(exit);
    check_together(draft);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "replay");
  }
  return std::move(draft.options);
}

/// Nobody hears what the guest says.
void keep_quiet(RunOptions& options) {
  options.com1 = options.com2 = {SerialTarget::Kind::Null};
  if (options.console) options.console = options.com1;
  std::ranges::fill(options.ports, options.com1);
}

std::variant<RunOptions, EarlyExit> parse_pack(const std::vector<std::string>& words) {
  if (asks_for_help(words)) return EarlyExit{0, help_text(pack_manual())};
  RunDraft draft;
  try {
    if (auto exit = take_recording(draft, words, pack_option_groups())) return *std::move(exit);
    check_together(draft);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "pack");
  }
  RunOptions& options = draft.options;
  if (options.packed_path.empty()) options.packed_path = options.replay_path;
  keep_quiet(options);
  return std::move(options);
}

std::variant<RunOptions, EarlyExit> parse_ask(const std::vector<std::string>& words) {
  if (asks_for_help(words)) return EarlyExit{0, help_text(ask_manual())};
  RunDraft draft;
  try {
    if (auto exit = take_recording(draft, words, ask_option_groups())) return *std::move(exit);
    check_together(draft);
    draft.options.questions = questions_of(draft.options.questions);
    check_questions(draft.options.questions);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "ask");
  }
  RunOptions& options = draft.options;
  options.config.history.on = true;
  keep_quiet(options);
  return std::move(options);
}

std::variant<RunOptions, EarlyExit> parse_test(const std::vector<std::string>& words) {
  if (asks_for_help({words.begin(), std::ranges::find(words, "--")}))
    return EarlyExit{0, help_text(test_manual())};
  auto request = std::make_shared<TestRequest>();
  std::vector<std::string> run_words;
  try {
    run_words = take_test_words(words, *request);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "test");
  }
  if (request->many()) {
    RunOptions options;
    options.test = std::move(request);
    return options;
  }
  Result<std::vector<std::string>> made = prepare_test(*request);
  if (!made) return refused(made.error());
  // What the machine is stands in the state that it goes on from.
  if (request->goes_on || request->snapshot == "auto")
    run_words = without_machine(run_words, !request->goes_on);
  run_words.insert(run_words.begin(), made.value().begin(), made.value().end());
  auto parsed = parse_run(run_words);
  if (RunOptions* const options = std::get_if<RunOptions>(&parsed))
    options->test = std::move(request);
  else
    remove_test_folder(*request);
  return parsed;
}

EarlyExit describe(const std::vector<std::string>& words) {
  if (asks_for_help(words)) return {0, help_text(manual_manual())};
  ManualRequest request;
  try {
    apply_words(manual_option_groups(), words, request);
  } catch (const BadValue& bad) {
    return usage_error(bad.message, "manual");
  }
  return {0, request.form()};
}

EarlyExit unknown_command(std::string_view word) {
  if (word.starts_with('-'))
    return {2,
            fmt::format(
                "reprise: the command is missing before '{}': reprise run OPTION...; see reprise --help.\n",
                in_one_line(word))};
  Nearest nearest(word);
  for (const std::string_view command :
       {"run", "replay", "ask", "pack", "test", "merge", "qemu", "image", "manual"})
    nearest.offer(command);
  std::string hint = "there are run, replay, ask, pack, test, merge, qemu, image and manual.";
  if (!nearest.name().empty()) hint = fmt::format("did you mean {}?", nearest.name());
  if (word.find_first_of("./") != word.npos) hint = fmt::format("did you mean reprise run {}?", word);
  return {2, fmt::format("reprise: unknown command '{}'; {} See reprise --help.\n", in_one_line(word),
                         in_one_line(hint))};
}

}  // namespace

EarlyExit usage_error(std::string_view problem, std::string_view command) {
  return {2, fmt::format("reprise: {}; see reprise {} --help.\n", in_one_line(problem), command)};
}

bool asks_for_help(const std::vector<std::string>& words) {
  return std::ranges::any_of(words, [](const std::string& word) { return word == "--help" || word == "-h"; });
}

std::variant<RunOptions, EarlyExit> parse_options(const std::vector<std::string>& words) {
  if (words.empty())
    return EarlyExit{2, "reprise: no command was given: reprise run IMAGE; see reprise --help.\n"};
  const std::string& command = words[0];
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (command == "run") return parse_run(rest);
  if (command == "replay") return parse_replay(rest);
  if (command == "ask") return parse_ask(rest);
  if (command == "pack") return parse_pack(rest);
  if (command == "test") return parse_test(rest);
  if (command == "merge") return EarlyExit{0, help_text(merge_manual())};
  if (command == "manual") return describe(rest);
  if (command == "--version") return EarlyExit{0, version_line()};
  if (command == "--help" || command == "-h" || command == "help") return EarlyExit{0, std::string(kHelp)};
  return unknown_command(command);
}

}  // namespace reprise::frontend
