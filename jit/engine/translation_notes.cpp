#include "jit/engine/translation_notes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "jit/engine/listing_text.h"

namespace reprise::jit {

TranslationNotes::TranslationNotes(const JitOptions& options) : options_(options) {
  if (!options.perf_map) return;
  const std::string path = fmt::format("/tmp/perf-{}.map", getpid());
  perf_map_.reset(std::fopen(path.c_str(), "we"));
  if (perf_map_ == nullptr)
    tell(fmt::format("reprise: '{}' cannot be written: {}\n", path, std::strerror(errno)));
}

std::string TranslationNotes::name(u64 linear) const {
  const std::string known = options_.name_of ? options_.name_of(linear) : "";
  return known.empty() ? fmt::format("{:#x}", linear) : known;
}

void TranslationNotes::tell(const std::string& text) const {
  if (options_.dump_sink)
    options_.dump_sink(text);
  else
    std::fputs(text.c_str(), stderr);
}

TranslationNotes::~TranslationNotes() = default;

bool TranslationNotes::wants_dump(const cpu::Block& block, u64 linear) const {
  if (options_.dump == 0) return false;
  if (options_.dump_at.empty()) return true;
  return std::ranges::any_of(options_.dump_at,
                             [&](u64 at) { return at - linear < std::max(block.bytes, 1u); });
}

void TranslationNotes::translated(u64 linear, std::span<const u8> host, std::span<const u8> cold,
                                  const Listing* listing) {
  if (perf_map_ != nullptr) {
    shared_code(host, "guest " + name(linear));
    shared_code(cold, "guest " + name(linear) + " (slow)");
  }
  if (listing == nullptr) return;
  tell(listing_text(*listing,
                    {host, cold, reinterpret_cast<u64>(host.data()), reinterpret_cast<u64>(cold.data())},
                    name(linear), options_.dump));
}

void TranslationNotes::shared_code(std::span<const u8> host, std::string_view name) {
  if (perf_map_ == nullptr) return;
  const std::string line =
      fmt::format("{:x} {:x} {}\n", reinterpret_cast<u64>(host.data()), host.size(), name);
  std::fputs(line.c_str(), perf_map_.get());
  // Now: the process may be ended by a signal.
  if (std::fflush(perf_map_.get()) == 0) return;
  tell(fmt::format("reprise: the perf map ends here: {}\n", std::strerror(errno)));
  perf_map_.reset();
}

}  // namespace reprise::jit
