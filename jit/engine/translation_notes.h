// What people may want to know of translations as they are made: --dump and --perf-map.
#pragma once

#include <cstdio>
#include <memory>
#include <span>

#include "cpu/blocks/block_cache.h"
#include "jit/host/listing.h"
#include "jit/jit_options.h"

namespace reprise::jit {

class TranslationNotes {
 public:
  /// Opens what the options ask for. What cannot be opened is left out, with a line where dumps go.
  explicit TranslationNotes(const JitOptions& options);
  ~TranslationNotes();
  TranslationNotes(const TranslationNotes&) = delete;
  TranslationNotes& operator=(const TranslationNotes&) = delete;

  /// Whether a translation of the block at `linear` is to be dumped.
  bool wants_dump(const cpu::Block& block, u64 linear) const;
  /// What is at `linear` became `host` and, for slow paths and exits, `cold`. `listing`: nullptr when it is not to be dumped.
  void translated(u64 linear, std::span<const u8> host, std::span<const u8> cold, const Listing* listing);
  /// Code that no block owns.
  void shared_code(std::span<const u8> host, std::string_view name);
  /// Its name, or "0xaddress".
  std::string name(u64 linear) const;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void tell(const std::string& text) const;

  const JitOptions& options_;
  std::unique_ptr<std::FILE, CloseFile> perf_map_;
};

}  // namespace reprise::jit
