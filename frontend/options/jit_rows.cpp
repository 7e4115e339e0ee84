// The translating engine: to find what a difference or a loss of speed depends on.
#include <fmt/format.h>

#include "frontend/options/run_rows.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"
#include "machine/board/engine_factory.h"

namespace reprise::frontend {
namespace {

constexpr u32 kMaxThreshold = 1'000'000'000;

jit::JitOptions& jit_of(RunDraft& draft) { return draft.options.config.jit; }

void set_code_cache(RunDraft& draft, const Given& given) {
  const u64 bytes = want(given, parse_size(given.value), "a size such as 64M");
  if (bytes < jit::JitOptions::kMinCodeCacheBytes || bytes > jit::JitOptions::kMaxCodeCacheBytes)
    throw BadValue{fmt::format("{} {} is not between 256K and 1G", given.name, given.value)};
  jit_of(draft).code_cache_bytes = bytes;
}

void set_dump_at(RunDraft& draft, const Given& given) {
  for (const std::string& word : words_of_list(given)) {
    jit_of(draft).dump_at.push_back(
        want(Given{given.name, word}, parse_number(word), "an address such as 0xffffffff81000000"));
  }
}

constexpr RunOption kJitRows[] = {
    {.name = "--no-pass",
     .value = "LIST",
     .shown = Shown::NameLine,
     .help = "without groups, flags, links, jumps, vectors, x87, strings, host-flags, second-level, joins, "
             "system",
     .more = "groups: one probe for several accesses. flags: unseen flags are not saved. links: jumps "
             "straight from "
             "block to block. jumps: targets of indirect jumps looked up in generated code. vectors, x87, "
             "strings: "
             "host instructions for the guest's. host-flags: undefined flags as the host leaves them, where "
             "a test "
             "at start-up allows it. second-level: second-level TLB lookups from generated code. joins: "
             "blocks that "
             "mostly follow each other translated as one. system: flags with privilege and changes of mode "
             "as host code.",
     .words = "all groups flags links jumps vectors x87 strings host-flags second-level joins system",
     .set =
         [](RunDraft& draft, const Given& given) {
           refuse_empty_parts(given);
           jit_of(draft).passes.remove(want(given, jit::parse_passes(given.value)));
         }},
    {.name = "--max-block",
     .value = "N",
     .shown = Shown::Name,
     .help = "instructions in a block, 1 to 48",
     .more = "Also for the interpreter.",
     .set =
         [](RunDraft& draft, const Given& given) {
           jit_of(draft).max_block_insns = want_count(given, machine::kMaxBlockInsns);
         }},
    {.name = "--code-cache",
     .value = "SIZE",
     .shown = Shown::Name,
     .help = "room for generated code, 256K to 1G (default 64M)",
     .more = "When it is full the oldest part is dropped.",
     .set = set_code_cache},
    {.name = "--jit-threshold",
     .value = "N",
     .shown = Shown::Name,
     .help = "a block is translated when it is entered the N-th time (default 16)",
     .set = [](RunDraft& draft,
               const Given& given) { jit_of(draft).threshold = want_count(given, kMaxThreshold); }},
    {.name = "--lockstep-seed",
     .value = "N",
     .shown = Shown::Name,
     .help = "of the lengths of the slices that --engine lockstep compares (default 1)",
     .set = [](RunDraft& draft, const Given& given) { jit_of(draft).lockstep_seed = want_number(given); }},
    {.name = "--perf-map",
     .shown = Shown::Name,
     .help = "writes /tmp/perf-PID.map, so that `perf report` names generated code by guest address",
     .set = [](RunDraft& draft, const Given&) { jit_of(draft).perf_map = true; }},
    {.name = "--hot-blocks",
     .value = "N",
     .shown = Shown::Name,
     .help = "with --stats: the N blocks that ran the most host instructions, with the code that was made of "
             "them",
     .more =
         "What they are is shown as by --dump guest,plan,host, without slow paths. Generated code is slower "
         "then, as with --count-host-insns, which this includes.",
     .set =
         [](RunDraft& draft, const Given& given) {
           constexpr u64 kMost = 1000;
           draft.options.config.jit.hot_blocks = static_cast<u32>(want_count(given, kMost));
           draft.options.config.jit.count_host_insns = true;
         }},
    {.name = "--code-cache-dir",
     .value = "DIR",
     .help = "keep generated code there for other runs, which begin with it",
     .more = "The folder is made if it is not there; only you may be able to write it. The code is for one "
             "build, one kind of "
             "processor on either side, and the same options here; what does not fit, or is damaged, is not "
             "used. "
             "Several runs may share the folder.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.code_path = given.value; }},
    {.name = "--count-host-insns",
     .shown = Shown::Name,
     .help = "with --stats: how many host instructions run for each of the guest's, and what for",
     .more = "Generated code is slower then. jit/host/host_insn_counts.h says what is counted.",
     .set = [](RunDraft& draft, const Given&) { draft.options.config.jit.count_host_insns = true; }},
    {.name = "--dump",
     .value = "LIST",
     .help = "guest,plan,host: blocks on stderr as they are translated",
     .words = "guest plan host",
     .set =
         [](RunDraft& draft, const Given& given) {
           refuse_empty_parts(given);
           jit_of(draft).dump = want(given, jit::parse_dump(given.value));
         }},
    {.name = "--at",
     .value = "ADDR,...",
     .shown = Shown::SameLine,
     .help = "dump only blocks there",
     .more = "Linear addresses: a block is dumped if it holds one of them.",
     .set = set_dump_at},
};

}  // namespace

std::span<const RunOption> jit_rows() { return kJitRows; }

}  // namespace reprise::frontend
