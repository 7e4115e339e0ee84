#include "machine/snapshot/state_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/bits.h"
#include "common/check.h"
#include "common/hash.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kNameBytes = 8;
constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::size_t kMaxChunkBytes = 1 << 20;

std::array<u8, kNameBytes> name_bytes(std::string_view name) {
  CHECK(name.size() <= kNameBytes);
  std::array<u8, kNameBytes> bytes{};
  std::ranges::copy(name, bytes.begin());
  return bytes;
}

template <class T>
std::array<u8, sizeof(T)> little_endian(T value) {
  std::array<u8, sizeof(T)> bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<u8>(value >> (8 * i));
  return bytes;
}

template <class T>
T from_little_endian(const std::array<u8, sizeof(T)>& bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{bytes[i]} << (8 * i));
  return value;
}

}  // namespace

// --- Writing ---

StateWriter::StateWriter(StateSink& sink) : sink_(sink) {
  put({reinterpret_cast<const u8*>(kStateHead.data()), kStateHead.size()});
  put(little_endian(kStateFormat));
}

void StateWriter::put(std::span<const u8> bytes) { ok_ = ok_ && sink_.write(bytes); }

void StateWriter::begin(std::string_view name) {
  put(name_bytes(name));
  digest_ = 0;
}

void StateWriter::bytes(std::span<const u8> from) {
  while (!from.empty()) {
    const std::size_t count = std::min(from.size(), kChunkBytes - chunk_.size());
    chunk_.insert(chunk_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    from = from.subspan(count);
    if (chunk_.size() == kChunkBytes) put_chunk();
  }
}

void StateWriter::number(u64 value) { bytes(little_endian(value)); }

void StateWriter::text(std::string_view text) {
  number(text.size());
  bytes({reinterpret_cast<const u8*>(text.data()), text.size()});
}

void StateWriter::put_chunk() {
  if (chunk_.empty()) return;
  put(little_endian(static_cast<u32>(chunk_.size())));
  put(chunk_);
  digest_ = hash64(chunk_, digest_);
  chunk_.clear();
}

void StateWriter::end() {
  put_chunk();
  put(little_endian(u32{0}));
  put(little_endian(digest_));
}

// --- Reading ---

StateReader::StateReader(StateSource& source) : source_(source) {
  std::array<u8, kStateHead.size()> head{};
  if (!source_.read(head) || !std::ranges::equal(head, kStateHead)) {
    fail("It is not a state that Reprise saved.");
    return;
  }
  std::array<u8, 4> format{};
  if (!get(format)) return;
  if (const u32 number = from_little_endian<u32>(format); number != kStateFormat) {
    fail(fmt::format("It is of format {}, and this program reads format {}: use the program that saved it.",
                     number, kStateFormat));
  }
}

void StateReader::fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

Result<Done> StateReader::result() const {
  if (ok()) return Done{};
  return Error{problem_};
}

bool StateReader::get(std::span<u8> into) {
  if (ok() && source_.read(into)) return true;
  fail("It ends too early.");
  std::ranges::fill(into, u8{0});
  return false;
}

void StateReader::begin(std::string_view name) {
  std::array<u8, kNameBytes> found{};
  if (get(found) && found != name_bytes(name))
    fail(fmt::format("Its section '{}' is not where it should be.", name));
  chunk_.clear();
  position_ = 0;
  at_end_ = !ok();
  digest_ = 0;
}

bool StateReader::next_chunk() {
  chunk_.clear();
  position_ = 0;
  if (at_end_) return false;
  std::array<u8, 4> size{};
  if (!get(size)) return false;
  const u32 bytes = from_little_endian<u32>(size);
  if (bytes == 0) {
    at_end_ = true;
    std::array<u8, 8> digest{};
    if (get(digest) && from_little_endian<u64>(digest) != digest_) fail("It is damaged: a digest is wrong.");
    whole_digest_ = hash64(digest, whole_digest_);
    return false;
  }
  if (bytes > kMaxChunkBytes) {
    fail("It is damaged: a piece of it is too long.");
    return false;
  }
  chunk_.resize(bytes);
  if (!get(chunk_)) return false;
  digest_ = hash64(chunk_, digest_);
  return true;
}

void StateReader::bytes(std::span<u8> into) {
  while (!into.empty()) {
    if (!ok() || (position_ == chunk_.size() && !next_chunk())) {
      fail("A section of it is too short.");
      std::ranges::fill(into, u8{0});
      return;
    }
    const std::size_t count = std::min(into.size(), chunk_.size() - position_);
    std::copy_n(chunk_.begin() + static_cast<std::ptrdiff_t>(position_), count, into.begin());
    position_ += count;
    into = into.subspan(count);
  }
}

u64 StateReader::number() {
  std::array<u8, 8> value{};
  bytes(value);
  return from_little_endian<u64>(value);
}

std::string StateReader::text(u64 limit) {
  const u64 count = number();
  if (count > limit) fail("It is damaged: a text of it is too long.");
  std::string text(ok() ? count : 0, '\0');
  bytes({reinterpret_cast<u8*>(text.data()), text.size()});
  return text;
}

void StateReader::end() {
  if (ok() && (position_ != chunk_.size() || next_chunk())) fail("A section of it is too long.");
}

void StateReader::finish() {
  if (ok() && !source_.ends())
    fail("It is damaged: something follows its end, or its last bytes are missing.");
}

std::vector<u8> StateReader::rest(u64 limit) {
  std::vector<u8> all;
  while (ok() && (position_ < chunk_.size() || next_chunk())) {
    all.insert(all.end(), chunk_.begin() + static_cast<std::ptrdiff_t>(position_), chunk_.end());
    position_ = chunk_.size();
    if (all.size() > limit) fail("A section of it is too long.");
  }
  return all;
}

}  // namespace reprise::machine
