#include "verdict/initramfs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

namespace reprise::verdict {
namespace {

namespace fs = std::filesystem;

constexpr u32 kFolder = S_IFDIR, kFile = S_IFREG, kLink = S_IFLNK, kCharDevice = S_IFCHR;
constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr std::size_t kHeadBytes = 110;
constexpr std::size_t kPieceBytes = 1 << 20;

std::string padding(u64 bytes) { return std::string((4 - bytes % 4) % 4, '\0'); }

struct Head {
  u32 inode;
  u32 mode;
  u32 links;
  u64 bytes;
  u32 major;
  u32 minor;
};

/// The head of an entry with its name, padded.
std::string head_text(const Head& head, std::string_view name) {
  std::string text = fmt::format(
      "070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}", head.inode,
      head.mode, 0, 0, head.links, 0, head.bytes, 0, 0, head.major, head.minor, name.size() + 1, 0);
  text += name;
  text += '\0';
  return text + padding(text.size());
}

std::span<const u8> as_bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

Result<Done> copy_file(const std::string& path, u64 bytes, const Initramfs::Sink& sink) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("'{}' cannot be read: it goes into the guest's initramfs.", path)};
  std::string piece(kPieceBytes, '\0');
  u64 left = bytes;
  while (left != 0) {
    file.read(piece.data(), static_cast<std::streamsize>(std::min<u64>(left, kPieceBytes)));
    const auto count = static_cast<u64>(file.gcount());
    if (count == 0)
      return Error{fmt::format("'{}' has become shorter while it was read: run the command again.", path)};
    TRY(sink(as_bytes(std::string_view(piece).substr(0, count))));
    left -= count;
  }
  return Done{};
}

}  // namespace

void Initramfs::add(const std::string& name, Entry entry) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1))
    entries_.try_emplace(name.substr(0, slash),
                         Entry{.mode = kFolder | 0755, .content = {}, .host_path = {}});
  entries_.insert_or_assign(name, std::move(entry));
}

void Initramfs::add_folder(const std::string& name, u32 mode) {
  add(name, {.mode = kFolder | mode, .content = {}, .host_path = {}});
}

void Initramfs::add_file(const std::string& name, std::string content, u32 mode) {
  add(name, {.mode = kFile | mode, .content = std::move(content), .host_path = {}});
}

void Initramfs::add_host_file(const std::string& name, std::string host_path, u64 bytes, u32 mode) {
  add(name, {.mode = kFile | mode, .content = {}, .host_path = std::move(host_path), .host_bytes = bytes});
}

void Initramfs::add_link(const std::string& name, std::string target) {
  add(name, {.mode = kLink | 0777, .content = std::move(target), .host_path = {}});
}

void Initramfs::add_device(const std::string& name, u32 major, u32 minor, u32 mode) {
  add(name, {.mode = kCharDevice | mode, .content = {}, .host_path = {}, .major = major, .minor = minor});
}

Result<Done> Initramfs::add_tree(const std::string& host_folder) {
  const fs::path root(host_folder);
  std::error_code error;
  fs::recursive_directory_iterator at(root, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string path = at->path().string();
    const std::string name = at->path().lexically_relative(root).string();
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) continue;  // it has gone meanwhile
    const u32 mode = status.st_mode & 07777;
    if (S_ISDIR(status.st_mode)) {
      add_folder(name, mode);
    } else if (S_ISLNK(status.st_mode)) {
      const fs::path target = fs::read_symlink(at->path(), error);
      if (error) break;
      add_link(name, target.string());
    } else if (S_ISREG(status.st_mode)) {
      const auto bytes = static_cast<u64>(status.st_size);
      if (bytes > std::numeric_limits<u32>::max())
        return Error{
            fmt::format("'{}' has more than 4 GiB, which no initramfs can hold: leave it out.", path)};
      add_host_file(name, path, bytes, mode);
    }
  }
  if (error) return Error{fmt::format("folder '{}' cannot be read: {}.", host_folder, error.message())};
  return Done{};
}

u64 Initramfs::bytes() const {
  u64 sum = 0;
  for (const auto& [name, entry] : entries_)
    sum += kHeadBytes + name.size() + entry.content.size() + entry.host_bytes;
  return sum;
}

Result<Done> Initramfs::write(const Sink& sink) const {
  u32 inode = 0;
  for (const auto& [name, entry] : entries_) {
    const u64 bytes = entry.host_path.empty() ? entry.content.size() : entry.host_bytes;
    const Head head = {.inode = ++inode,
                       .mode = entry.mode,
                       .links = S_ISDIR(entry.mode) ? 2U : 1U,
                       .bytes = bytes,
                       .major = entry.major,
                       .minor = entry.minor};
    TRY(sink(as_bytes(head_text(head, name))));
    if (entry.host_path.empty())
      TRY(sink(as_bytes(entry.content)));
    else
      TRY(copy_file(entry.host_path, bytes, sink));
    TRY(sink(as_bytes(padding(bytes))));
  }
  return sink(
      as_bytes(head_text({.inode = 0, .mode = 0, .links = 1, .bytes = 0, .major = 0, .minor = 0}, kTrailer)));
}

}  // namespace reprise::verdict
