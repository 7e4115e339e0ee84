#include "frontend/test/merge_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "frontend/command_line.h"
#include "frontend/manual/formats.h"
#include "frontend/options/take_words.h"
#include "frontend/options/want.h"
#include "frontend/test/run_folder.h"
#include "frontend/test/test_rows.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

constexpr Option<MergeRequest> kMergeRows[] = {
    {.name = "OUT",
     .help = "a folder that reprise test --out has filled; those of shards may lie in it",
     .counts = Counts::Each,
     .required = true,
     .set = [](MergeRequest& request, const Given& given) { request.folders.push_back(given.value); }},
    {.name = "--junit",
     .value = "FILE",
     .help = "results as JUnit XML",
     .set = [](MergeRequest& request, const Given& given) { request.paths.junit = given.value; }},
    {.name = "--json",
     .value = "FILE",
     .shown = Shown::SameLine,
     .help = "as JSON",
     .set = [](MergeRequest& request, const Given& given) { request.paths.json = given.value; }},
    {.name = "--tap",
     .value = "FILE",
     .shown = Shown::SameLine,
     .help = "as TAP",
     .set = [](MergeRequest& request, const Given& given) { request.paths.tap = given.value; }},
    {.name = "--compare",
     .value = "FILE",
     .help = "tells what costs more or less than in FILE, which --json wrote",
     .set = [](MergeRequest& request, const Given& given) { request.paths.costs.base_path = given.value; }},
    {.name = "--fail-over",
     .value = "PERCENT",
     .shown = Shown::Name,
     .help = "what costs so much more has failed: 0.5%",
     .set = [](MergeRequest& request, const Given& given) { set_fail_over(request.paths.costs, given); }},
    {.name = "--annotations",
     .value = "FORM",
     .help = "says what went wrong on stderr as github or gitlab show it",
     .words = "github gitlab",
     .set = [](MergeRequest& request,
               const Given& given) { request.paths.annotations = want_annotations(given); }},
};

/// A run of many, with its place among them.
struct Placed {
  u64 index;
  verdict::Outcome outcome;
};

verdict::Outcome unfinished(const std::string& name) {
  verdict::Outcome outcome;
  outcome.name = name;
  outcome.verdict.kind = verdict::VerdictKind::HostTrouble;
  outcome.verdict.message = "it has left no result: its run was not done, or was cut off";
  outcome.exit_code = machine::exit_code_of(machine::ExitReason::HostError);
  return outcome;
}

/// Folders with a manifest: `folder` itself, or those of shards in it.
std::vector<std::string> folders_in(const std::string& folder) {
  std::vector<std::string> found;
  if (fs::exists(manifest_path(folder))) found.push_back(folder);
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error))
    if (at->path().filename().string().starts_with("shard-") &&
        fs::exists(manifest_path(at->path().string())))
      found.push_back(at->path().string());
  std::ranges::sort(found);
  return found;
}

Result<Done> add_folder(const std::string& folder, std::vector<Placed>& runs) {
  const std::vector<std::string> folders = folders_in(folder);
  if (folders.empty()) {
    // Of one run.
    verdict::Outcome outcome = TRY(read_result(folder));
    runs.push_back({runs.size(), std::move(outcome)});
    return Done{};
  }
  for (const std::string& one : folders) {
    const RunManifest manifest = TRY(read_manifest(one));
    for (const ListedRun& run : manifest.runs) {
      auto result = read_result(one + '/' + run.name);
      runs.push_back({run.index, result ? result.take() : unfinished(run.name)});
    }
  }
  return Done{};
}

/// The same run of several folders is one; which it is does not matter, unless they differ.
Result<Done> unite(std::vector<Placed>& runs) {
  std::ranges::stable_sort(runs, [](const Placed& a, const Placed& b) {
    return a.index != b.index ? a.index < b.index : a.outcome.name < b.outcome.name;
  });
  for (std::size_t i = 1; i < runs.size();) {
    verdict::Outcome& before = runs[i - 1].outcome;
    const verdict::Outcome& here = runs[i].outcome;
    if (runs[i - 1].index != runs[i].index || before.name != here.name) {
      ++i;
      continue;
    }
    const bool one_is_known = before.state_hash.empty() || here.state_hash.empty();
    if (!one_is_known && (before.state_hash != here.state_hash || before.verdict.kind != here.verdict.kind))
      return Error{
          fmt::format("two results of '{}' differ: {} {} and {} {}: they are of other kernels or builds.",
                      here.name, verdict::verdict_name(before.verdict.kind), before.state_hash,
                      verdict::verdict_name(here.verdict.kind), here.state_hash)};
    if (before.state_hash.empty()) before = here;
    runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return Done{};
}

}  // namespace

std::span<const OptionGroup<MergeRequest>> merge_option_groups() {
  static const OptionGroup<MergeRequest> kGroups[] = {{"", "", kMergeRows}};
  return kGroups;
}

int merge_command(const std::vector<std::string>& words, StandardOutputs& outputs) {
  MergeRequest request;
  try {
    apply_words(merge_option_groups(), words, request);
  } catch (const BadValue& bad) {
    outputs.err.tell(usage_error(bad.message, "merge").text);
    return machine::exit_code_of(machine::ExitReason::Usage);
  }
  std::vector<Placed> runs;
  Result<Done> done = Done{};
  for (const std::string& folder : request.folders)
    if (done) done = add_folder(folder, runs);
  if (done) done = unite(runs);
  if (!done) {
    outputs.say(done.error().message);
    return machine::exit_code_of(machine::ExitReason::HostError);
  }
  std::vector<verdict::Outcome> outcomes;
  outcomes.reserve(runs.size());
  for (Placed& run : runs) outcomes.push_back(std::move(run.outcome));
  return tell_of_all(outcomes, request.paths, outputs);
}

}  // namespace reprise::frontend
