#include "machine/snapshot/zstd_stream.h"

#include <zstd.h>

#include <vector>

#include "common/check.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {
namespace {

/// States are moved over networks that are slower than this.
constexpr int kLevel = 3;
/// The largest window that unpacking takes memory for: 8 MiB.
constexpr int kMaxWindowLog = 23;

class Packer final : public StateSink {
 public:
  explicit Packer(StateSink& to) : to_(to), context_(ZSTD_createCCtx()), out_(ZSTD_CStreamOutSize()) {
    CHECK(context_ != nullptr);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~Packer() override { ZSTD_freeCCtx(context_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  bool write(std::span<const u8> bytes) override {
    ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
    while (in.pos < in.size)
      if (!step(in, ZSTD_e_continue)) return false;
    return true;
  }
  bool end() override {
    ZSTD_inBuffer in = {nullptr, 0, 0};
    do
      if (!step(in, ZSTD_e_end)) return false;
    while (left_ != 0);
    return to_.end();
  }

 private:
  bool step(ZSTD_inBuffer& in, ZSTD_EndDirective directive) {
    ZSTD_outBuffer out = {out_.data(), out_.size(), 0};
    left_ = ZSTD_compressStream2(context_, &out, &in, directive);
    return !ZSTD_isError(left_) && to_.write(std::span(out_).first(out.pos));
  }

  StateSink& to_;
  ZSTD_CCtx* context_;
  std::vector<u8> out_;
  std::size_t left_ = 0;  // that the frame's end still has
};

class Unpacker final : public StateSource {
 public:
  explicit Unpacker(int fd) : fd_(fd), context_(ZSTD_createDCtx()), in_(ZSTD_DStreamInSize()) {
    CHECK(context_ != nullptr);
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxWindowLog);
  }
  ~Unpacker() override { ZSTD_freeDCtx(context_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  bool read(std::span<u8> into) override {
    ZSTD_outBuffer out = {into.data(), into.size(), 0};
    while (out.pos < out.size) {
      if (buffer_.pos == buffer_.size && !fill()) return false;
      if (over_) return false;
      const std::size_t left = ZSTD_decompressStream(context_, &out, &buffer_);
      if (ZSTD_isError(left)) return false;
      over_ = left == 0;
    }
    return true;
  }
  bool ends() override {
    u8 more = 0;
    ZSTD_outBuffer out = {&more, 1, 0};
    while (!over_) {
      if (buffer_.pos == buffer_.size && !fill()) return false;
      const std::size_t left = ZSTD_decompressStream(context_, &out, &buffer_);
      if (ZSTD_isError(left) || out.pos != 0) return false;
      over_ = left == 0;
    }
    return buffer_.pos == buffer_.size && !fill();
  }

 private:
  bool fill() {
    const u64 got = host_read(fd_, offset_, in_).bytes;
    offset_ += got;
    buffer_ = {in_.data(), got, 0};
    return got != 0;
  }

  int fd_;
  u64 offset_ = 0;
  ZSTD_DCtx* context_;
  std::vector<u8> in_;
  ZSTD_inBuffer buffer_ = {nullptr, 0, 0};
  bool over_ = false;  // the frame
};

}  // namespace

bool zstd_is_offered() { return true; }
std::unique_ptr<StateSink> zstd_packer(StateSink& to) { return std::make_unique<Packer>(to); }
std::unique_ptr<StateSource> zstd_unpacker(int fd) { return std::make_unique<Unpacker>(fd); }

}  // namespace reprise::machine
