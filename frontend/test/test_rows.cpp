#include "frontend/test/test_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "common/words.h"
#include "frontend/options/qemu_words.h"
#include "frontend/options/take_words.h"
#include "frontend/options/want.h"
#include "verdict/shell_words.h"

namespace reprise::frontend {
namespace {

using verdict::ReportKind;

void add_variable(TestRequest& request, const Given& given) {
  const std::size_t equals = given.value.find('=');
  const std::string name = given.value.substr(0, equals);
  if (!verdict::is_variable_name(name)) throw is_not(given, "NAME or NAME=VALUE");
  if (equals != given.value.npos) {
    request.environment.push_back({name, given.value.substr(equals + 1)});
    return;
  }
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr)
    throw BadValue{
        fmt::format("{} {}: there is no variable of that name here: give {}=VALUE", given.name, name, name)};
  request.environment.push_back({name, value});
}

/// FOLDER and what stands behind its first comma; a comma in a name is doubled.
std::pair<std::string, std::string> at_comma(const std::string& value) {
  std::string folder;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != ',') {
      folder += value[i];
    } else if (i + 1 < value.size() && value[i + 1] == ',') {
      folder += value[i++];
    } else {
      return {folder, value.substr(i + 1)};
    }
  }
  return {folder, {}};
}

void set_root(TestRequest& request, const Given& given) {
  auto [path, words] = at_comma(given.value);
  if (!words.empty() && words != "by=9p")
    throw BadValue{fmt::format("{} '{}': only by=9p stands behind the name", given.name, given.value)};
  request.root = path;
  request.root_shared = !words.empty();
}

/// Which reports of the kernel's make a test fail: a list, or one that begins with + or - and changes the usual one.
void set_fail_on(TestRequest& request, const Given& given) {
  const auto usual = [&] {
    std::vector<ReportKind> kinds;
    for (const ReportKind kind : verdict::report_kinds())
      if (verdict::fails_by_default(kind)) kinds.push_back(kind);
    return kinds;
  };
  request.failing.clear();
  if (given.value == "none") return;
  const bool changes = given.value.starts_with('+') || given.value.starts_with('-');
  if (changes) request.failing = usual();
  for (const std::string& word : words_of_list(given)) {
    const bool without = word.starts_with('-');
    const std::string name = word.substr(without || word.starts_with('+') ? 1 : 0);
    const auto kind = verdict::report_kind_of_name(name);
    if (!kind) {
      std::string names;
      for (const ReportKind one : verdict::report_kinds())
        names += fmt::format(" {}", verdict::report_kind_name(one));
      throw BadValue{fmt::format("{} '{}' is unknown: there are none,{}", given.name, name, names)};
    }
    std::erase(request.failing, *kind);
    if (!without) request.failing.push_back(*kind);
  }
}

constexpr TestOption kTestRows[] = {
    {.name = "COMMAND",
     .help =
         "behind \"--\": one word is a line for the guest's shell, several are a program and its arguments",
     .more =
         "Its standard input is empty; its output comes to standard output, the kernel's log goes to a file.",
     .counts = Counts::Each,
     .set = [](TestRequest& request, const Given& given) { request.command.push_back(given.value); }},
    {.name = "-k",
     .value = "FILE",
     .help = "the kernel: a bzImage, or an ELF kernel with a PVH entry (vmlinux)",
     .set = [](TestRequest& request, const Given& given) { request.kernel = given.value; }},
    {.name = "--kernel",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "the same",
     .set = [](TestRequest& request, const Given& given) { request.kernel = given.value; }},
    {.name = "--kernel-tests",
     .help = "the kernel's own tests (KUnit) are the test, and there is no command",
     .more = "Nothing is started in the guest. The kernel ends the run behind its tests, by kunit_shutdown=.",
     .set = [](TestRequest& request, const Given&) { request.kernel_tests = true; }},
    {.name = "--append",
     .value = "TEXT",
     .help = "goes to the kernel's command line, behind what the test needs there",
     .empty = Empty::Taken,
     .set = [](TestRequest& request, const Given& given) { request.append = given.value; }},
    {.name = "--root",
     .value = "FILE|FOLDER",
     .help = "the guest's root: a folder, a disk image, or a cpio archive (default: busybox alone)",
     .more = "A folder goes into the initramfs; with by=9p behind a comma the guest has it as a 9p file "
             "system, and leaves it as it is. "
             "A disk image is on virtio-blk, an archive goes into the initramfs, compressed or not. A root "
             "needs a /bin/sh.",
     .set = set_root},
    {.name = "--share",
     .value = "FOLDER[,readonly][,times=fixed][,owner=mapped|real]",
     .help = "a folder of this host, in which the command runs: at /mnt, by 9p",
     .more = "The kernel needs 9p on virtio, built in or as modules. A comma in a name is doubled. "
             "docs/shares.md.",
     .words = ".",
     .set = [](TestRequest& request,
               const Given& given) { std::tie(request.share, request.share_words) = at_comma(given.value); }},
    {.name = "--env",
     .value = "NAME[=VALUE]",
     .help = "a variable of the command's environment; without a value, this process's",
     .counts = Counts::Each,
     .set = add_variable},
    {.name = "--modules",
     .value = "FOLDER",
     .help = "of the kernel's modules, of which the guest loads what it needs of --root and --share",
     .more = "Such as /lib/modules/6.1.0-9-amd64, also without what depmod makes there. By default "
             "lib/modules/VERSION beside the kernel's folder, or of this "
             "host.",
     .set = [](TestRequest& request, const Given& given) { request.modules = given.value; }},
    {.name = "--module-symbols",
     .value = "FOLDER",
     .shown = Shown::Name,
     .help = "modules with their symbols, below it: for lines of source",
     .more = "By default those below --root, where it is a folder.",
     .set = [](TestRequest& request, const Given& given) { request.module_symbols = given.value; }},
    {.name = "--from-snapshot",
     .value = "auto|FILE",
     .help = "begins with a state that was saved right before a command: it boots once for many",
     .more = "auto: one that is made when it is missing, in XDG_CACHE_HOME. FILE: what --save-snapshot "
             "wrote. What the kernel logs while it boots is not "
             "part of the test.",
     .words = "auto",
     .set = [](TestRequest& request, const Given& given) { request.snapshot = given.value; }},
    {.name = "--save-snapshot",
     .value = "FILE",
     .shown = Shown::Name,
     .help = "boots to where the command would begin, saves the state, and ends",
     .set = [](TestRequest& request, const Given& given) { request.snapshot_to = given.value; }},
    {.name = "--busybox",
     .value = "FILE",
     .help = "a static busybox for x86-64 (default: /bin/busybox, of Debian's package busybox-static)",
     .set = [](TestRequest& request, const Given& given) { request.busybox = given.value; }},
};

constexpr TestOption kVerdictRows[] = {
    {.name = "--fail-on",
     .value = "LIST",
     .help = "reports in the kernel's log with which the test has failed; none, +warning, -oom",
     .more = "Of panic, oops, bug, warning, lockdep, rcu-stall, hung-task, lockup, kasan, kcsan, kmsan, "
             "kfence, ubsan, leak, oom; by default all but "
             "warning and oom. Words with + or - change that.",
     .words = "none panic oops bug warning lockdep rcu-stall hung-task lockup kasan kcsan kmsan kfence ubsan "
              "leak oom",
     .set = set_fail_on},
    {.name = "--exit-style",
     .value = "STYLE",
     .help = "what the exit code says: reprise, pass-through, bisect, vng, qemu",
     .more = "reprise: 0 passed, 1 failed, 10 panic, 11 hang, 12 time-out, 13 triple fault, 20 trouble of "
             "the host; other codes of the command are its "
             "own. pass-through: the command's own wherever it ended. bisect: as git bisect run wants it. "
             "docs/kernel-tests.md.",
     .words = "reprise pass-through bisect vng qemu",
     .set =
         [](TestRequest& request, const Given& given) {
           request.exit_style = want(given, verdict::exit_style_of_name(given.value),
                                     "one of reprise, pass-through, bisect, vng, qemu");
         }},
    {.name = "--out",
     .value = "FOLDER",
     .help = "keeps result, output, kernel's log, recording and initramfs there",
     .more = "Made when missing. Without it they are in a folder of TMPDIR that stays only when the test did "
             "not pass.",
     .set = [](TestRequest& request, const Given& given) { request.out = given.value; }},
    {.name = "--junit",
     .value = "FILE",
     .help = "results as JUnit XML",
     .set = [](TestRequest& request, const Given& given) { request.junit_path = given.value; }},
    {.name = "--json",
     .value = "FILE",
     .shown = Shown::SameLine,
     .help = "as JSON",
     .set = [](TestRequest& request, const Given& given) { request.json_path = given.value; }},
    {.name = "--tap",
     .value = "FILE",
     .shown = Shown::SameLine,
     .help = "as TAP",
     .set = [](TestRequest& request, const Given& given) { request.tap_path = given.value; }},
    {.name = "--annotations",
     .value = "FORM",
     .help = "says what went wrong on stderr as github or gitlab show it",
     .words = "github gitlab",
     .set = [](TestRequest& request, const Given& given) { request.annotations = want_annotations(given); }},
    {.name = "--compare",
     .value = "FILE",
     .help = "tells what costs more or less than in FILE, which --json wrote",
     .more = "Instructions, TLB misses, exits, bytes of disks and networks, of commands and of each result "
             "in TAP.",
     .set = [](TestRequest& request, const Given& given) { request.costs.base_path = given.value; }},
    {.name = "--fail-over",
     .value = "PERCENT",
     .shown = Shown::Name,
     .help = "what costs so much more has failed: 0.5%",
     .set = [](TestRequest& request, const Given& given) { set_fail_over(request.costs, given); }},
    {.name = "--kernel-log",
     .value = "TARGET",
     .help = "stderr: the kernel's log goes there, too, as it comes; file: only to the file kernel.log",
     .words = "stderr file",
     .set =
         [](TestRequest& request, const Given& given) {
           if (given.value != "stderr" && given.value != "file") throw is_not(given, "one of stderr, file");
           request.log_to_stderr = given.value == "stderr";
         }},
};

void set_seeds(TestRequest& request, const Given& given) {
  const std::size_t dots = given.value.find("..");
  const auto first = parse_number(std::string_view(given.value).substr(0, dots));
  const auto last =
      dots == given.value.npos ? first : parse_number(std::string_view(given.value).substr(dots + 2));
  constexpr u64 kMost = 1'000'000;
  if (!first || !last || *first > *last || *last - *first >= kMost)
    throw is_not(given, "seeds such as 1..1000");
  request.first_seed = first;
  request.last_seed = last;
}

constexpr TestOption kManyRows[] = {
    {.name = "--seeds",
     .value = "FIRST..LAST",
     .help = "a run for each: its --seed and, with several processors, --sched-seed",
     .more = "Each is a process of its own, whose files are in a folder below --out. docs/kernel-tests.md.",
     .set = set_seeds},
    {.name = "--shrink",
     .help = "of the first that fails: the fewest handovers between processors with which it still does",
     .more = "With several processors. They are told of as places in the kernel, by --symbols vmlinux and "
             "modules with their "
             "symbols, and by the command that repeats them.",
     .set = [](TestRequest& request, const Given&) { request.shrink = true; }},
    {.name = "--suite",
     .value = "FILE",
     .help = "a TOML file that lists tests, with their kernels, seeds and limits",
     .more = "Options beside it are for all of them.",
     .set = [](TestRequest& request, const Given& given) { request.suite = given.value; }},
    {.name = "--jobs",
     .value = "N",
     .help = "so many runs at a time (default: as many as the host has processors)",
     .set = [](TestRequest& request, const Given& given) { request.jobs = want_count(given, 1024); }},
    {.name = "--shard",
     .value = "auto|I/N",
     .shown = Shown::SameLine,
     .help = "only those runs that are this process's",
     .more = "The I-th of N; auto: as Slurm's arrays, indexed jobs of Kubernetes, Bazel, GitLab, Buildkite "
             "or CircleCI say it in the environment. "
             "reprise merge joins the results.",
     .words = "auto",
     .set = [](TestRequest& request, const Given& given) { request.shard = given.value; }},
    {.name = "--name",
     .value = "TEXT",
     .shown = Shown::Name,
     .help = "of the test in results (default: its command)",
     .set = [](TestRequest& request, const Given& given) { request.name = given.value; }},
};

/// Which are about many runs, or about results of all of them: no run of many gets them.
constexpr std::string_view kOfAll[] = {
    "--seeds", "--suite",  "--jobs",    "--shard",     "--name", "--out", "--save-snapshot",
    "--junit", "--shrink", "--compare", "--fail-over", "--json", "--tap", "--annotations"};

/// Options of `reprise run` that `reprise test` gives itself, or has of its own.
constexpr std::string_view kNotHere[] = {
    "IMAGE",      "--kernel", "--initrd",    "--append",  "--bios",   "--bios-vars", "--load",
    "--image",    "--boot",   "--serial",    "--share",   "--record", "--record-on", "--expect",
    "--on-panic", "--json",   "--no-reboot", "--stop-at", "--clock",  "--jobs"};

}  // namespace

void set_fail_over(CostLimits& limits, const Given& given) {
  limits.growth_millionths =
      want(given, verdict::millionths_of_percent(given.value), "a percentage such as 0.5%");
}

AnnotationForm want_annotations(const Given& given) {
  if (given.value == "github") return AnnotationForm::GitHub;
  if (given.value == "gitlab") return AnnotationForm::GitLab;
  throw is_not(given, "one of github, gitlab");
}

std::span<const OptionGroup<TestRequest>> test_option_groups() {
  static const OptionGroup<TestRequest> kGroups[] = {
      {"What to test", "", kTestRows}, {"The verdict", "", kVerdictRows}, {"Many runs", "", kManyRows}};
  return kGroups;
}

std::span<const OptionGroup<RunDraft>> run_option_groups_of_test() {
  struct Made {
    std::vector<std::vector<RunOption>> rows;
    std::vector<OptionGroup<RunDraft>> groups;
  };
  static const Made kMade = [] {
    Made made;
    for (const OptionGroup<RunDraft>& group : run_option_groups()) {
      std::vector<RunOption> rows;
      for (const RunOption& row : group.rows)
        if (std::ranges::find(kNotHere, row.name) == std::end(kNotHere)) rows.push_back(row);
      if (rows.empty()) continue;
      rows.front().shown = Shown::Line;
      made.rows.push_back(std::move(rows));
      made.groups.push_back({group.heading, group.remark, made.rows.back()});
    }
    return made;
  }();
  return kMade.groups;
}

std::vector<std::string> take_test_words(const std::vector<std::string>& words, TestRequest& request) {
  const auto dashes = std::ranges::find(words, "--");
  std::vector<OptionText> texts;
  std::vector<const TestOption*> own;
  for (const OptionGroup<TestRequest>& group : test_option_groups()) {
    for (const TestOption& row : group.rows) {
      texts.push_back(row.text());
      own.push_back(&row);
    }
  }
  for (const OptionGroup<RunDraft>& group : run_option_groups_of_test())
    for (const RunOption& row : group.rows) texts.push_back(row.text());
  auto taken = take_words(texts, {words.begin(), dashes}, instead_of_qemu_word);
  if (!taken) throw BadValue{taken.error().message};
  for (const verdict::ReportKind kind : verdict::report_kinds())
    if (verdict::fails_by_default(kind)) request.failing.push_back(kind);
  std::vector<std::string> rest;
  for (const TakenOption& option : taken.value()) {
    const OptionText& text = texts[option.row];
    if (text.is_argument())
      throw BadValue{fmt::format("'{}' is no option: the command stands behind --", option.value)};
    const std::string_view name = text.name == "-k" ? std::string_view("--kernel") : text.name;
    if (std::ranges::find(kOfAll, name) == std::end(kOfAll))
      request.child_words.push_back(text.value.empty() ? std::string(name)
                                                       : fmt::format("{}={}", name, option.value));
    if (option.row >= own.size()) {
      rest.push_back(text.value.empty() ? std::string(text.name)
                                        : fmt::format("{}={}", text.name, option.value));
      continue;
    }
    if (option.value.empty() && !text.value.empty() && own[option.row]->empty == Empty::Refused)
      throw BadValue{fmt::format("{} was given an empty value: give {} {}, or leave it out", text.name,
                                 text.name, text.value)};
    own[option.row]->set(request, {text.name, option.value});
  }
  if (request.costs.growth_millionths && request.costs.base_path.empty())
    throw BadValue{
        "--fail-over says how much more something may cost: give what it cost before by --compare FILE"};
  if (!request.shard.empty() && !request.many())
    throw BadValue{"--shard is for many runs: give --seeds or --suite"};
  if (dashes != words.end()) request.command.assign(dashes + 1, words.end());
  if (!request.suite.empty()) return rest;
  if (!request.snapshot.empty() && !request.snapshot_to.empty())
    throw BadValue{"--from-snapshot and --save-snapshot exclude each other"};
  if (request.kernel.empty()) throw BadValue{"there is no kernel: give one by -k FILE"};
  if (request.kernel_tests) {
    if (!request.command.empty())
      throw BadValue{"--kernel-tests: the kernel's own tests have no command: leave it out"};
    if (!request.root.empty() || !request.share.empty() || !request.snapshot.empty() ||
        !request.snapshot_to.empty())
      throw BadValue{
          "--kernel-tests: nothing is started in the guest, so --root, --share and snapshots are for others"};
    return rest;
  }
  if (dashes == words.end() || dashes + 1 == words.end())
    throw BadValue{
        "there is no command for the guest: give it behind --, as in reprise test -k bzImage -- uname -a"};
  return rest;
}

std::vector<std::string> without_machine(const std::vector<std::string>& words, bool is_copy) {
  constexpr std::string_view kOfCopy[] = {"--seed", "--schedule", "--sched-seed", "--quantum"};
  std::vector<std::string> rest;
  for (const std::string& word : words) {
    const std::string_view name = std::string_view(word).substr(0, word.find('='));
    bool of_machine = false;
    for (const OptionGroup<RunDraft>& group : run_option_groups_of_test())
      for (const RunOption& row : group.rows) of_machine = of_machine || (row.name == name && row.of_machine);
    if (!of_machine || (is_copy && std::ranges::find(kOfCopy, name) != std::end(kOfCopy)))
      rest.push_back(word);
  }
  return rest;
}

}  // namespace reprise::frontend
