#include "machine/net/packet_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "devices/net/net_card.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kFlushBytes = 64 * 1024;
constexpr u32 kMagicNs = 0xa1b2'3c4d;
constexpr u32 kVersion = 4 << 16 | 2;  // 2.4: the major number first
constexpr u32 kEthernet = 1;
constexpr u64 kNsPerSecond = 1'000'000'000;

void put(std::vector<u8>& out, u32 value) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

}  // namespace

Result<PacketFile> PacketFile::create(const std::string& path) {
  HostFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) return Error{fmt::format("--net-dump '{}' cannot be written: {}.", path, std::strerror(errno))};
  PacketFile out(std::move(file));
  for (const u32 value : {kMagicNs, kVersion, 0u, 0u, static_cast<u32>(devices::kMaxFrameBytes), kEthernet})
    put(out.buffer_, value);
  return out;
}

void PacketFile::add(u64 virtual_ns, std::span<const u8> frame) {
  if (!file_) return;
  const u32 bytes = static_cast<u32>(frame.size());
  for (const u32 value : {static_cast<u32>(virtual_ns / kNsPerSecond),
                          static_cast<u32>(virtual_ns % kNsPerSecond), bytes, bytes})
    put(buffer_, value);
  buffer_.insert(buffer_.end(), frame.begin(), frame.end());
  if (buffer_.size() >= kFlushBytes) flush();
}

void PacketFile::flush() {
  if (!file_) return;
  for (std::size_t done = 0; done < buffer_.size();) {
    // Behind a gap nothing could be read any more.
    const ssize_t count =
        problem_.empty() ? ::write(file_.get(), buffer_.data() + done, buffer_.size() - done) : -1;
    if (count < 0 && problem_.empty() && errno == EINTR) continue;
    if (count <= 0) {
      if (problem_.empty()) problem_ = why_not_written(count == 0 ? ENOSPC : errno);
      lost_bytes_ += buffer_.size() - done;
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  buffer_.clear();
}

}  // namespace reprise::machine
