#include "machine/snapshot/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/bits.h"
#include "common/hash.h"
#include "machine/snapshot/zstd_stream.h"

namespace reprise::machine {
namespace {

/// So that large pages of a file system that has them and of the processor fall together.
constexpr u64 kRamOffset = u64{2} << 20;

constexpr std::size_t kFormatAt = 14, kRamBytesAt = 24, kDigestAt = 32, kHeadBytes = 40;
using Head = std::array<u8, kHeadBytes>;
constexpr std::array<u8, 4> kZstdHead = {0x28, 0xb5, 0x2f, 0xfd};

Head make_head(const StateKind& kind, u64 ram_bytes) {
  Head head{};
  std::ranges::copy(kind.head, head.begin());
  write_unaligned<u32>(&head[kFormatAt], kStateFormat);
  write_unaligned<u64>(&head[kRamBytesAt], ram_bytes);
  write_unaligned<u64>(&head[kDigestAt], hash64(std::span(head).first(kDigestAt)));
  return head;
}

template <class Bytes>
bool begins_with(std::span<const u8> begin, const Bytes& bytes) {
  return begin.size() >= bytes.size() && std::ranges::equal(begin.first(bytes.size()), bytes);
}

bool is_state(const StateKind& kind, std::span<const u8> begin) {
  if (begins_with(begin, kind.head)) return true;
  return kind.head == kSavedState.head && (begins_with(begin, kStateHead) || begins_with(begin, kZstdHead));
}

/// Where the stream begins in a file of `bytes` bytes that begins with `begin`.
Result<u64> stream_behind_pages(const StateKind& kind, const std::string& path, std::span<const u8> begin,
                                u64 bytes) {
  if (begin.size() < kHeadBytes) return wrong_usage(fmt::format("{} '{}' ends too early.", kind.name, path));
  if (const u32 format = read_unaligned<u32>(&begin[kFormatAt]); format != kStateFormat)
    return wrong_usage(fmt::format(
        "{} '{}' is of format {}, and this program reads format {}: use the program that saved it.",
        kind.name, path, format, kStateFormat));
  const u64 ram_bytes = read_unaligned<u64>(&begin[kRamBytesAt]);
  if (!std::ranges::equal(begin, make_head(kind, ram_bytes)))
    return wrong_usage(fmt::format("{} '{}' is damaged: its head is.", kind.name, path));
  if (bytes < kRamOffset || bytes - kRamOffset <= ram_bytes)
    return wrong_usage(fmt::format("{} '{}' ends too early.", kind.name, path));
  return kRamOffset + ram_bytes;
}

/// What a file begins with.
std::vector<u8> beginning_of(int fd) {
  std::vector<u8> bytes(kHeadBytes);
  bytes.resize(host_read(fd, 0, bytes).bytes);
  return bytes;
}

/// Nobody means to replace an image or a program by a state.
Result<Done> check_replaced(const StateKind& kind, const std::string& path) {
  const HostFd old(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status = {};
  if (!old || fstat(old.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    return Done{};
  if (is_state(kind, beginning_of(old.get()))) return Done{};
  return Error{
      fmt::format("'{}' is a file that holds something other than a {}: give another name, or remove it.",
                  path, kind.name)};
}

}  // namespace

bool StateFileSink::write(std::span<const u8> bytes) {
  if (host_write(fd_, offset_, bytes) != devices::BlockStatus::Ok) return false;
  offset_ += bytes.size();
  return true;
}

bool StateFileSource::read(std::span<u8> into) {
  if (host_read(fd_, offset_, into).bytes != into.size()) return false;
  offset_ += into.size();
  return true;
}

bool StateMemorySource::read(std::span<u8> into) {
  if (into.size() > left_.size()) return false;
  std::copy_n(left_.begin(), into.size(), into.begin());
  left_ = left_.subspan(into.size());
  return true;
}

// --- Writing ---

Result<std::unique_ptr<StateFileWriter>> StateFileWriter::create(const std::string& path, StateForm form,
                                                                 u64 ram_bytes, const StateKind& kind) {
  if (form == StateForm::Zstd && !zstd_is_offered())
    return Error{
        "This reprise was built without libzstd (Debian: libzstd-dev), so it cannot compress a state."};
  TRY(check_replaced(kind, path));
  auto file = TRY(NewFile::create(std::string(kind.name), path));
  std::unique_ptr<StateFileWriter> state(new StateFileWriter(kind, std::move(file)));
  const int fd = state->file_.fd();
  if (form == StateForm::Zstd) {
    state->file_sink_ = std::make_unique<StateFileSink>(fd);
    state->packer_ = zstd_packer(*state->file_sink_);
    state->ram_ = std::make_unique<RamInStream>();
  } else {
    state->file_sink_ = std::make_unique<StateFileSink>(fd, kRamOffset + ram_bytes);
    state->ram_ = std::make_unique<RamInFile>(fd, kRamOffset);
  }
  state->writer_ = std::make_unique<StateWriter>(state->packer_ ? *state->packer_ : *state->file_sink_);
  if (form == StateForm::Pages && host_write(fd, 0, make_head(kind, ram_bytes)) != devices::BlockStatus::Ok)
    state->writer_->fail();
  return state;
}

Result<Done> StateFileWriter::commit() {
  if (packer_ && writer_->ok() && !packer_->end()) writer_->fail();
  if (!writer_->ok())
    return Error{fmt::format("{} '{}' cannot be written to its end: {}.", kind_.name, file_.path(),
                             why_not_written(errno))};
  return file_.commit();
}

// --- Reading ---

Result<std::unique_ptr<StateFileReader>> StateFileReader::open(const std::string& path,
                                                               const std::string& place,
                                                               const StateKind& kind) {
  HostFd fd(::open(place.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status = {};
  if (!fd || fstat(fd.get(), &status) != 0)
    return Error{fmt::format("{} '{}' cannot be read: {}.", kind.name, path, std::strerror(errno))};
  if (!S_ISREG(status.st_mode)) return wrong_usage(fmt::format("{} '{}' is no file.", kind.name, path));
  std::unique_ptr<StateFileReader> state(new StateFileReader(path, std::move(fd)));
  const int file = state->fd_.get();
  const std::vector<u8> begin = beginning_of(file);
  if (!is_state(kind, begin))
    return wrong_usage(fmt::format("'{}' is not a {} of Reprise's.", path, kind.name));
  u64 stream_at = 0;
  if (begins_with(begin, kind.head)) {
    stream_at = TRY(stream_behind_pages(kind, path, begin, static_cast<u64>(status.st_size)));
    state->ram_ = std::make_unique<RamInFile>(file, kRamOffset);
  } else {
    state->ram_ = std::make_unique<RamInStream>();
  }
  if (begins_with(begin, kZstdHead)) {
    if (!zstd_is_offered())
      return Error{
          fmt::format("'{}' is compressed, and this reprise was built without libzstd (Debian: "
                      "libzstd-dev): unpack it with zstd -d.",
                      path)};
    state->unpacker_ = zstd_unpacker(file);
  }
  state->file_source_ = std::make_unique<StateFileSource>(file, stream_at);
  state->reader_ = std::make_unique<StateReader>(state->unpacker_ ? *state->unpacker_ : *state->file_source_);
  return state;
}

}  // namespace reprise::machine
