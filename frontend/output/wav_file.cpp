// Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", "WAVE".
#include "frontend/output/wav_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/bits.h"

namespace reprise::frontend {
namespace {

constexpr u64 kHeaderBytes = 44;
constexpr u64 kBlockBytes = 64 << 10;
/// The header has 32 bits for the size of all that follows its eighth byte.
constexpr u64 kMostBytes = 0xffff'f000 - kHeaderBytes;
constexpr u16 kFrameBytes = devices::AudioSink::kChannels * sizeof(i16);

}  // namespace

Result<std::unique_ptr<WavFile>> WavFile::open(const std::string& path, OutputOpener& opener,
                                               Losses& losses) {
  if (path == "-")
    return wrong_usage(
        "sound '-': a WAV file begins with its size, so it is no stream: give the name of a file.");
  machine::HostFd file = TRY(opener.open("sound", path));
  struct stat status = {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{
        fmt::format("sound '{}': a WAV file begins with its size, so it must be a regular file.", path)};
  return std::unique_ptr<WavFile>(new WavFile(fmt::format("sound '{}'", path), std::move(file), losses));
}

void WavFile::play(u64 first, std::span<const i16> samples) {
  u64 silence = std::min(first > next_ ? first - next_ : 0, kLongestSilenceFrames);
  const std::vector<i16> zeros(silence * kChannels);
  append(zeros);
  append(samples);
  next_ = first + samples.size() / kChannels;
}

void WavFile::append(std::span<const i16> samples) {
  for (const i16 sample : samples) {
    waiting_.push_back(static_cast<u8>(sample));
    waiting_.push_back(static_cast<u8>(sample >> 8));
  }
  if (waiting_.size() >= kBlockBytes) finish();
}

void WavFile::lose(std::string_view why, u64 bytes) {
  lost_ = true;
  losses_.add(name_, why, bytes);
}

void WavFile::finish() {
  begun_ = true;
  const u64 bytes = waiting_.size();
  if (lost_ || stored_bytes_ + bytes > kMostBytes) {
    lose("a WAV file cannot be longer", bytes);
    return waiting_.clear();
  }
  const devices::BlockStatus status =
      machine::host_write(file_.get(), kHeaderBytes + stored_bytes_, waiting_);
  waiting_.clear();
  const u64 stored = status == devices::BlockStatus::Ok ? stored_bytes_ + bytes : stored_in_file();
  if (status != devices::BlockStatus::Ok) lose(devices::describe(status), stored_bytes_ + bytes - stored);
  stored_bytes_ = stored;
  store_header();
}

u64 WavFile::stored_in_file() const {
  struct stat status = {};
  if (fstat(file_.get(), &status) != 0) return stored_bytes_;
  const u64 there = std::max(static_cast<u64>(status.st_size), kHeaderBytes) - kHeaderBytes;
  return std::max(stored_bytes_, there - there % kFrameBytes);
}

void WavFile::store_header() {
  u8 header[kHeaderBytes] = {'R', 'I', 'F', 'F', 0, 0, 0, 0, 'W', 'A', 'V', 'E', 'f', 'm', 't', ' ', 16};
  constexpr u16 kPcm = 1;
  constexpr u32 kHz = static_cast<u32>(kFramesPerSecond);
  write_unaligned<u32>(header + 4, static_cast<u32>(kHeaderBytes - 8 + stored_bytes_));
  write_unaligned<u16>(header + 20, kPcm);
  write_unaligned<u16>(header + 22, static_cast<u16>(kChannels));
  write_unaligned<u32>(header + 24, kHz);
  write_unaligned<u32>(header + 28, kHz * kFrameBytes);
  write_unaligned<u16>(header + 32, kFrameBytes);
  write_unaligned<u16>(header + 34, 16);
  std::copy_n("data", 4, header + 36);
  write_unaligned<u32>(header + 40, static_cast<u32>(stored_bytes_));
  const devices::BlockStatus status = machine::host_write(file_.get(), 0, header);
  if (status != devices::BlockStatus::Ok) lose(devices::describe(status), kHeaderBytes);
}

}  // namespace reprise::frontend
