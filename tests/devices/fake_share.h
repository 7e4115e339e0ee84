// A shared folder in memory, and requests of 9P2000.L: sensible ones for tests, any for noise.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/p9/linux_errno.h"
#include "devices/p9/message.h"
#include "devices/p9/share_backend.h"

namespace reprise::devices::testing {

/// Some files and folders. What it does not know is EOPNOTSUPP. Files are only removed if `removes`: of one that is removed
/// while it is open nothing is left after a load.
class FakeShare final : public ShareBackend {
 public:
  static constexpr std::size_t kMaxFiles = 60;
  static constexpr u64 kMaxFileBytes = 4096;

  explicit FakeShare(bool removes) : removes_(removes) {
    put("", share_mode::kFolder | 0755);
    put("folder", share_mode::kFolder | 0755);
    put("folder/inner", share_mode::kFolder | 0755);
    put("folder/inner/deep", share_mode::kRegular | 0644, "deep");
    put("file", share_mode::kRegular | 0644, "hello");
    put("link", share_mode::kLink | 0777, "/etc/passwd");
    put("pipe", 0010000 | 0644);
  }

  ShareAnswer ask(const ShareQuestion& question) override {
    ++questions;
    switch (question.op) {
      case ShareOp::Close: handles.erase(question.handle); return {};
      case ShareOp::CloseAll: handles.clear(); return {};
      case ShareOp::Space: return {.space = {4096, 1000, 500, 500, 100, 50}};
      default: break;
    }
    File* const file = of(question);
    if (question.by_handle && file == nullptr) return {.error = linux_errno::kEBADF};
    if (file == nullptr) return {.error = linux_errno::kENOENT};
    if (!question.by_handle && question.expected.inode != 0 && question.expected.inode != file->inode)
      return {.error = linux_errno::kESTALE};
    const bool is_folder = (file->mode & share_mode::kType) == share_mode::kFolder;
    switch (question.op) {
      case ShareOp::Stat: return told(*file);
      case ShareOp::List:
        return is_folder ? list(question.path) : ShareAnswer{.error = linux_errno::kENOTDIR};
      case ShareOp::Open:
        handles[question.handle] =
            question.by_handle ? handles.at(question.from_handle) : files.at(question.path);
        if (question.flags & 01000) file->content.clear();
        return told(*file);
      case ShareOp::Create:
      case ShareOp::MakeFolder:
      case ShareOp::MakeLink: return make(question, is_folder);
      case ShareOp::Read: {
        const std::size_t at = std::min<u64>(question.offset, file->content.size());
        const std::size_t end = std::min<u64>(at + question.bytes, file->content.size());
        return {.content = {file->content.begin() + static_cast<std::ptrdiff_t>(at),
                            file->content.begin() + static_cast<std::ptrdiff_t>(end)}};
      }
      case ShareOp::Write:
        if (question.offset > kMaxFileBytes || question.data.size() > kMaxFileBytes - question.offset)
          return {.error = linux_errno::kENOSPC};
        file->content.resize(std::max<u64>(file->content.size(), question.offset + question.data.size()));
        std::ranges::copy(question.data,
                          file->content.begin() + static_cast<std::ptrdiff_t>(question.offset));
        return {.count = question.data.size()};
      case ShareOp::Sync: return {};
      case ShareOp::Set:
        if (question.set & share_set::kSize) {
          if (question.attributes.size > kMaxFileBytes) return {.error = linux_errno::kENOSPC};
          file->content.resize(question.attributes.size);
        }
        if (question.set & share_set::kMode)
          file->mode = (file->mode & share_mode::kType) | question.attributes.mode;
        return {};
      case ShareOp::Rename: return rename(question);
      case ShareOp::Remove: return remove(question, false);
      case ShareOp::RemoveFolder: return remove(question, true);
      case ShareOp::ReadLink: return {.content = file->content};
      case ShareOp::GetXattr: {
        const auto found = file->xattrs.find(question.name);
        if (found == file->xattrs.end()) return {.error = linux_errno::kENODATA};
        return {.content = found->second};
      }
      case ShareOp::ListXattrs: {
        ShareAnswer out;
        for (const auto& [name, value] : file->xattrs) {
          out.content.insert(out.content.end(), name.begin(), name.end());
          out.content.push_back(0);
        }
        return out;
      }
      case ShareOp::SetXattr:
        if (file->xattrs.size() > 8) return {.error = linux_errno::kENOSPC};
        file->xattrs[question.name] = {question.data.begin(), question.data.end()};
        return {};
      case ShareOp::RemoveXattr:
        return {.error = file->xattrs.erase(question.name) == 0 ? linux_errno::kENODATA : 0};
      default: return {.error = linux_errno::kEOPNOTSUPP};
    }
  }

  /// Somebody on the host makes or replaces a file.
  void put(const std::string& path, u32 mode, std::string_view content = {}) {
    auto file = std::make_shared<File>();
    file->inode = ++inodes_;
    file->mode = mode;
    file->content.assign(content.begin(), content.end());
    files[path] = std::move(file);
  }

  struct File {
    u64 inode = 0;
    u32 mode = 0;
    std::vector<u8> content;
    std::map<std::string, std::vector<u8>> xattrs;
  };
  std::map<std::string, std::shared_ptr<File>> files;
  std::map<u32, std::shared_ptr<File>> handles;
  u64 questions = 0;

 private:
  File* of(const ShareQuestion& question) {
    if (question.by_handle || question.op == ShareOp::Read || question.op == ShareOp::Write) {
      const auto handle = handles.find(question.op == ShareOp::Open ? question.from_handle : question.handle);
      return handle == handles.end() ? nullptr : handle->second.get();
    }
    const auto file = files.find(question.path);
    return file == files.end() ? nullptr : file->second.get();
  }
  static ShareAnswer told(const File& file) {
    ShareAnswer out;
    out.attributes.device = 7;
    out.attributes.inode = file.inode;
    out.attributes.mode = file.mode;
    out.attributes.links = 1;
    out.attributes.size = file.content.size();
    return out;
  }
  static std::string inside(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : folder + '/' + name;
  }
  ShareAnswer list(const std::string& path) {
    ShareAnswer out;
    const std::string start = path.empty() ? "" : path + '/';
    for (const auto& [name, file] : files)
      if (!name.empty() && name.starts_with(start) && name.find('/', start.size()) == name.npos)
        out.entries.push_back({name.substr(start.size()), 7, file->inode, file->mode & share_mode::kType});
    return out;
  }
  ShareAnswer make(const ShareQuestion& question, bool in_folder) {
    const std::string path = inside(question.path, question.name);
    if (!in_folder) return {.error = linux_errno::kENOTDIR};
    if (files.contains(path)) return {.error = linux_errno::kEEXIST};
    if (files.size() >= kMaxFiles) return {.error = linux_errno::kENOSPC};
    put(path, question.op == ShareOp::MakeLink ? share_mode::kLink | 0777 : question.attributes.mode,
        question.target);
    if (question.op == ShareOp::Create) handles[question.handle] = files[path];
    return told(*files[path]);
  }
  ShareAnswer rename(const ShareQuestion& question) {
    const std::string from = inside(question.path, question.name);
    const std::string to = inside(question.other_path, question.target);
    if (!files.contains(from)) return {.error = linux_errno::kENOENT};
    if (from == to) return {.count = 0};
    if (files.contains(to)) return {.error = linux_errno::kEEXIST};
    std::map<std::string, std::shared_ptr<File>> moved;
    for (auto& [path, file] : files) {
      const bool moves = path == from || path.starts_with(from + '/');
      moved[moves ? to + path.substr(from.size()) : path] = file;
    }
    files = std::move(moved);
    return {.count = 1};
  }
  ShareAnswer remove(const ShareQuestion& question, bool folder) {
    const std::string path = inside(question.path, question.name);
    const auto file = files.find(path);
    if (file == files.end()) return {.error = linux_errno::kENOENT};
    if (((file->second->mode & share_mode::kType) == share_mode::kFolder) != folder || (!removes_ && !folder))
      return {.error = folder ? linux_errno::kENOTDIR : linux_errno::kEISDIR};
    if (folder && !list(path).entries.empty()) return {.error = 39};
    files.erase(file);
    return {};
  }

  const bool removes_;
  u64 inodes_ = 0;
};

/// A request, field by field.
class P9Request {
 public:
  explicit P9Request(p9::Type type, u16 tag = 1) : type_(type), tag_(tag) {}
  P9Request& put8(u64 value) { return put(value, 1); }
  P9Request& put16(u64 value) { return put(value, 2); }
  P9Request& put32(u64 value) { return put(value, 4); }
  P9Request& put64(u64 value) { return put(value, 8); }
  P9Request& text(std::string_view value) {
    put16(value.size());
    body_.insert(body_.end(), value.begin(), value.end());
    return *this;
  }
  std::vector<u8> bytes() const {
    p9::Writer out(~u32{0});
    out.bytes(body_);
    return std::move(out).finish(static_cast<u8>(type_), tag_);
  }

 private:
  P9Request& put(u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) body_.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
  p9::Type type_;
  u16 tag_;
  std::vector<u8> body_;
};

/// A request as a hostile client might send it. `below(n)` draws a number.
template <class Below>
std::vector<u8> noisy_p9_request(Below&& below) {
  using p9::Type;
  static constexpr Type kTypes[] = {
      Type::Statfs,   Type::Lopen,   Type::Lcreate, Type::Symlink,   Type::Mknod,       Type::Rename,
      Type::Readlink, Type::Getattr, Type::Setattr, Type::Xattrwalk, Type::Xattrcreate, Type::Readdir,
      Type::Fsync,    Type::Lock,    Type::Getlock, Type::Link,      Type::Mkdir,       Type::Renameat,
      Type::Unlinkat, Type::Version, Type::Auth,    Type::Attach,    Type::Flush,       Type::Walk,
      Type::Walk,     Type::Walk,    Type::Read,    Type::Read,      Type::Write,       Type::Write,
      Type::Clunk,    Type::Clunk,   Type::Remove};
  static constexpr std::string_view kNames[] = {"folder", "inner",  "deep",   "file",    "link",
                                                "pipe",   "new",    "..",     ".",       "",
                                                "a/b",    "user.x", "user.y", "9P2000.L"};
  const auto fid = [&] { return below(40) == 0 ? below(~0u) : below(6); };
  const auto name = [&]() -> std::string {
    if (below(60) == 0) return std::string(below(70'000), 'x');
    if (below(60) == 0) return std::string("nul\0nul", 7);
    if (below(6) == 0) return std::string("n") + static_cast<char>('0' + below(10));
    return std::string(kNames[below(std::size(kNames))]);
  };
  const auto number = [&]() -> u64 {
    switch (below(6)) {
      case 0: return 0;
      case 1: return ~u64{0};
      case 2: return u64{1} << below(64);
      default: return below(5000);
    }
  };
  const Type type = below(50) == 0 ? static_cast<Type>(below(256)) : kTypes[below(std::size(kTypes))];
  P9Request request(type, static_cast<u16>(below(65536)));
  switch (type) {
    case Type::Version:
      request.put32(below(4) == 0 ? number() : 8192).text(below(9) == 0 ? name() : "9P2000.L");
      break;
    case Type::Attach: request.put32(fid()).put32(~0u).text("root").text("").put32(below(3)); break;
    case Type::Walk: {
      const u32 names = below(30) == 0 ? below(40) : below(4);
      request.put32(fid()).put32(fid()).put16(names);
      for (u32 i = 0; i < names; ++i) request.text(name());
      break;
    }
    case Type::Lopen: request.put32(fid()).put32(below(5) == 0 ? number() : below(3)); break;
    case Type::Lcreate: request.put32(fid()).text(name()).put32(below(3)).put32(0644).put32(0); break;
    case Type::Mkdir: request.put32(fid()).text(name()).put32(0755).put32(0); break;
    case Type::Symlink: request.put32(fid()).text(name()).text(name()).put32(0); break;
    case Type::Mknod: request.put32(fid()).text(name()).put32(number()).put32(1).put32(3).put32(0); break;
    case Type::Rename: request.put32(fid()).put32(fid()).text(name()); break;
    case Type::Renameat: request.put32(fid()).text(name()).put32(fid()).text(name()); break;
    case Type::Link: request.put32(fid()).put32(fid()).text(name()); break;
    case Type::Unlinkat: request.put32(fid()).text(name()).put32(below(3) == 0 ? 0x200 : 0); break;
    case Type::Getattr: request.put32(fid()).put64(number()); break;
    case Type::Setattr:
      request.put32(fid()).put32(below(512)).put32(number()).put32(0).put32(0);
      for (int i = 0; i < 5; ++i) request.put64(number());
      break;
    case Type::Readdir:
    case Type::Read: request.put32(fid()).put64(number()).put32(number()); break;
    case Type::Write: {
      const u32 bytes = below(300);
      request.put32(fid()).put64(number()).put32(below(20) == 0 ? number() : bytes);
      for (u32 i = 0; i < bytes; ++i) request.put8(below(256));
      break;
    }
    case Type::Xattrwalk: request.put32(fid()).put32(fid()).text(name()); break;
    case Type::Xattrcreate: request.put32(fid()).text(name()).put64(number()).put32(below(4)); break;
    case Type::Lock:
      request.put32(fid()).put8(below(4)).put32(0).put64(number()).put64(number()).put32(below(3)).text("me");
      break;
    case Type::Getlock:
      request.put32(fid()).put8(below(4)).put64(number()).put64(number()).put32(below(3)).text("me");
      break;
    default: request.put32(fid()); break;
  }
  std::vector<u8> bytes = request.bytes();
  if (below(20) == 0) bytes.resize(7 + below(static_cast<u32>(bytes.size())), 0xee);
  if (below(40) == 0) bytes[below(4)] = static_cast<u8>(below(256));
  return bytes;
}

}  // namespace reprise::devices::testing
