// Where a saved state has the pages of RAM: in its stream, or beside it in a file, from which they can be mapped.
#pragma once

#include <vector>

#include "machine/snapshot/ram_state.h"

namespace reprise::machine {

/// Thread: the machine's.
class RamStore {
 public:
  virtual ~RamStore() = default;
  /// A section of `writer`, and what it needs besides. What fails makes the writer fail.
  virtual void save(StateWriter& writer, const mmu::Ram& ram) = 0;
  /// After a problem (StateReader::ok) RAM holds some of each.
  virtual void load(StateReader& reader, mmu::Ram& ram) = 0;
};

class RamInStream final : public RamStore {
 public:
  void save(StateWriter& writer, const mmu::Ram& ram) override { save_ram(writer, ram); }
  void load(StateReader& reader, mmu::Ram& ram) override { load_ram(reader, ram); }
};

/// The page at offset N of RAM is at `file_offset` + N of a file: zero pages are holes, and of equal pages the file has the
/// first. The section says which pages there are, and their digests. Loading maps them privately, and the file must stay as
/// it is while RAM lives.
class RamInFile final : public RamStore {
 public:
  /// `fd` stays open as long as this lives. `file_offset` is a multiple of 4 KiB.
  RamInFile(int fd, u64 file_offset) : fd_(fd), file_offset_(file_offset) {}
  void save(StateWriter& writer, const mmu::Ram& ram) override;
  void load(StateReader& reader, mmu::Ram& ram) override;

 private:
  /// Pages [first, first + count), whose content is that of as many pages from `source` on: `first` itself, or earlier ones.
  struct Run {
    u64 first = 0;
    u64 count = 0;
    u64 source = 0;
    u64 digest = 0;  // of pages that the file has
    bool in_place() const { return source == first; }
  };
  void put(StateWriter& writer, const mmu::Ram& ram, const Run& run);
  std::vector<Run> read_runs(StateReader& reader, u64 pages);

  int fd_;
  u64 file_offset_;
};

}  // namespace reprise::machine
