#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <optional>
#include <unordered_map>

#include "common/hash.h"
#include "common/zeros.h"
#include "machine/snapshot/ram_store.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {
namespace {

// The section: runs of pages as four numbers each, in ascending order, then:
constexpr u64 kEnd = ~u64{0};
constexpr u64 kMaxRunPages = 512;
/// Gaps up to this are mapped with what is beside them: the file has holes there, which are zeros, too.
constexpr u64 kMaxGapPages = 512;

std::span<const u8> pages_of(const mmu::Ram& ram, u64 first, u64 count) {
  return {ram.host() + first * kPageBytes, count * kPageBytes};
}

/// The first page with some content.
class FirstOfEqual {
 public:
  explicit FirstOfEqual(const mmu::Ram& ram) : ram_(ram) {}
  u64 find(u64 page) {
    const u64 digest = hash64(pages_of(ram_, page, 1));
    const auto [found, is_new] = by_digest_.try_emplace(digest, page);
    const bool equal =
        std::memcmp(pages_of(ram_, page, 1).data(), pages_of(ram_, found->second, 1).data(), kPageBytes) == 0;
    return equal ? found->second : page;
  }

 private:
  const mmu::Ram& ram_;
  std::unordered_map<u64, u64> by_digest_;
};

}  // namespace

void RamInFile::save(StateWriter& writer, const mmu::Ram& ram) {
  writer.begin("pages");
  FirstOfEqual firsts(ram);
  Run run;
  ram.for_each_written_since(0, [&](u64 page) {
    if (!writer.ok() || all_zero(pages_of(ram, page, 1))) return;
    const u64 source = firsts.find(page);
    if (run.count != 0 && run.count < kMaxRunPages && page == run.first + run.count &&
        source == run.source + run.count) {
      ++run.count;
      return;
    }
    put(writer, ram, run);
    run = {page, 1, source, 0};
  });
  put(writer, ram, run);
  writer.number(kEnd);
  writer.end();
}

void RamInFile::put(StateWriter& writer, const mmu::Ram& ram, const Run& run) {
  if (run.count == 0 || !writer.ok()) return;
  const std::span<const u8> content = pages_of(ram, run.first, run.count);
  if (run.in_place() &&
      host_write(fd_, file_offset_ + run.first * kPageBytes, content) != devices::BlockStatus::Ok)
    return writer.fail();
  for (const u64 number : {run.first, run.count, run.source, run.in_place() ? hash64(content) : 0})
    writer.number(number);
}

std::vector<RamInFile::Run> RamInFile::read_runs(StateReader& reader, u64 pages) {
  std::vector<Run> runs;
  std::vector<bool> in_file(pages);
  u64 next = 0;
  reader.begin("pages");
  while (reader.ok()) {
    Run run;
    run.first = reader.number();
    if (run.first == kEnd) break;
    run.count = reader.number();
    run.source = reader.number();
    run.digest = reader.number();
    if (!reader.ok()) break;
    bool possible = run.first >= next && run.first < pages && run.count != 0 && run.count <= kMaxRunPages &&
                    run.count <= pages - run.first && run.source <= run.first;
    for (u64 i = 0; possible && i < run.count; ++i) {
      if (run.in_place())
        in_file[run.first + i] = true;
      else
        possible = in_file[run.source + i];
    }
    if (!possible) {
      reader.fail("It is damaged: it has pages of memory that this machine has not, or in the wrong order.");
      break;
    }
    runs.push_back(run);
    next = run.first + run.count;
  }
  reader.end();
  return runs;
}

void RamInFile::load(StateReader& reader, mmu::Ram& ram) {
  const std::vector<Run> runs = read_runs(reader, ram.bytes() / kPageBytes);
  struct stat status = {};
  if (reader.ok() &&
      (fstat(fd_, &status) != 0 || static_cast<u64>(status.st_size) < file_offset_ + ram.bytes()))
    reader.fail("It ends too early.");
  if (!reader.ok()) return;
  const auto must = [&](const Result<Done>& done) {
    if (!done) reader.fail(fmt::format("It could not be loaded: {}.", done.error().message));
  };
  must(ram.clear());
  std::optional<Run> mapped;  // of runs together
  const auto map = [&] {
    if (mapped)
      must(ram.map_file(mapped->first * kPageBytes, mapped->count * kPageBytes, fd_,
                        file_offset_ + mapped->first * kPageBytes));
  };
  for (const Run& run : runs) {
    if (!run.in_place()) continue;
    if (mapped && run.first - (mapped->first + mapped->count) <= kMaxGapPages) {
      mapped->count = run.first + run.count - mapped->first;
      continue;
    }
    map();
    mapped = run;
  }
  map();
  u64 next = 0;
  for (const Run& run : runs) {
    if (!reader.ok()) return;
    if (run.first - next <= kMaxGapPages && !all_zero(pages_of(ram, next, run.first - next)))
      reader.fail("It is damaged: there is something between its pages of memory.");
    next = run.first + run.count;
    if (run.in_place()) {
      if (hash64(pages_of(ram, run.first, run.count)) != run.digest)
        reader.fail("It is damaged: a digest of memory is wrong.");
      continue;
    }
    std::memcpy(ram.host() + run.first * kPageBytes, ram.host() + run.source * kPageBytes,
                run.count * kPageBytes);
    for (u64 i = 0; i < run.count; ++i) ram.mark_written((run.first + i) * kPageBytes);
  }
}

}  // namespace reprise::machine
