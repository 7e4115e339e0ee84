#include "machine/share/host_share.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "devices/p9/message.h"
#include "machine/share/host_xattr.h"

namespace reprise::machine {

using devices::ShareOp;
namespace share_set = devices::share_set;

namespace {

constexpr mode_t kSetIds = S_ISUID | S_ISGID;
constexpr mode_t kPermissions = 07777;
constexpr u32 kAccess = 3;
constexpr u32 kEmptied = 01000;
constexpr u64 kMaxReadBytes = 1 << 20;
/// What all files show with times=fixed: that of the guest's clock at power-on, by default.
constexpr devices::ShareTime kFixedTime = {1'735'689'600, 0};

devices::ShareTime time_of(const timespec& time) { return {time.tv_sec, static_cast<u32>(time.tv_nsec)}; }

bool good_offset(u64 offset) { return offset <= u64{1} << 62; }

u32 errno_of(int result) { return result < 0 ? static_cast<u32>(errno) : 0; }

devices::ShareAnswer failed(int error) { return {.error = static_cast<u32>(error)}; }

/// Whether ShareQuestion::name is that of a file in a folder.
bool names_file(ShareOp op) {
  switch (op) {
    case ShareOp::Create:
    case ShareOp::MakeFolder:
    case ShareOp::MakeLink:
    case ShareOp::MakeNode:
    case ShareOp::Link:
    case ShareOp::Rename:
    case ShareOp::Remove:
    case ShareOp::RemoveFolder: return true;
    default: return false;
  }
}

/// The mode of a host's file that looks like `mode` to the guest: this process can always use it.
mode_t host_mode(u32 mode, bool folder) {
  return (mode & (ACCESSPERMS)) | (folder ? S_IRWXU : S_IRUSR | S_IWUSR);
}

/// The regular file that is open as `fd` once more, though its name may be gone.
OpenedFd open_again(int fd, int flags) {
  HostFd again(::open(fd_path(fd).c_str(), flags | O_CLOEXEC | O_NOCTTY));
  const int error = again ? 0 : errno;
  return {std::move(again), error};
}

}  // namespace

// --- Which questions there are ---

bool HostShare::refused(const Question& question) const {
  switch (question.op) {
    case ShareOp::Stat:
    case ShareOp::List:
    case ShareOp::Read:
    case ShareOp::Sync:
    case ShareOp::Close:
    case ShareOp::CloseAll:
    case ShareOp::ReadLink:
    case ShareOp::ListXattrs:
    case ShareOp::GetXattr:
    case ShareOp::Space: return false;
    case ShareOp::Open: return read_only_ && (question.flags & (kAccess | kEmptied)) != 0;
    default: return read_only_;
  }
}

devices::ShareAnswer HostShare::ask(const Question& question) {
  if (refused(question)) return failed(EROFS);
  // The server has checked names; this is where they would do harm.
  if (names_file(question.op) && !devices::p9::is_name(question.name)) return failed(EINVAL);
  if (question.op == ShareOp::Rename && !devices::p9::is_name(question.target)) return failed(EINVAL);
  return answer(question);
}

devices::ShareAnswer HostShare::answer(const Question& question) {
  switch (question.op) {
    case ShareOp::Stat: return stat(question);
    case ShareOp::List: return list(question);
    case ShareOp::Open: return open(question);
    case ShareOp::Create: return create(question);
    case ShareOp::Read: return read(question);
    case ShareOp::Write: return write(question);
    case ShareOp::Sync: return sync(question);
    case ShareOp::Close: handles_.erase(question.handle); return {};
    case ShareOp::CloseAll: handles_.clear(); return {};
    case ShareOp::Set: return set(question);
    case ShareOp::MakeFolder: return make_folder(question);
    case ShareOp::MakeLink: return make_link(question);
    case ShareOp::MakeNode: return make_node(question);
    case ShareOp::Link: return link(question);
    case ShareOp::Rename: return rename(question);
    case ShareOp::Remove: return remove(question, 0);
    case ShareOp::RemoveFolder: return remove(question, AT_REMOVEDIR);
    case ShareOp::ReadLink: return read_link(question);
    case ShareOp::ListXattrs: return list_xattrs(question);
    case ShareOp::GetXattr: return get_xattr(question);
    case ShareOp::SetXattr: return set_xattr(question);
    case ShareOp::RemoveXattr: return remove_xattr(question);
    case ShareOp::Space: return space();
  }
  return failed(EOPNOTSUPP);
}

// --- Finding files ---

OpenedFd HostShare::open_expected(const Question& question, int flags) const {
  OpenedFd file = folder_.open(question.path, flags);
  if (file.error != 0 || question.expected.inode == 0) return file;
  struct stat host {};
  if (fstat(file.fd.get(), &host) != 0) return {HostFd(), errno};
  if (host.st_dev != question.expected.device || host.st_ino != question.expected.inode)
    return {HostFd(), ESTALE};
  return file;
}

int HostShare::file_of(const Question& question, OpenedFd& owned, Errno& error) {
  if (question.by_handle) {
    const auto handle = handles_.find(question.handle);
    error = handle == handles_.end() ? EBADF : 0;
    return error == 0 ? handle->second.get() : -1;
  }
  owned = open_expected(question, O_PATH);
  error = owned.error;
  return owned.fd.get();
}

// Devices must not even be opened, and a FIFO would wait: so the first descriptor is O_PATH, and the second one the same file.
OpenedFd HostShare::open_content(const Question& question, int flags, bool folders) const {
  const OpenedFd named = open_expected(question, O_PATH);
  if (named.error != 0) return {HostFd(), named.error};
  struct stat host {};
  if (fstat(named.fd.get(), &host) != 0) return {HostFd(), errno};
  if (!S_ISREG(host.st_mode) && !(folders && S_ISDIR(host.st_mode)))
    return {HostFd(), S_ISDIR(host.st_mode) ? EISDIR : ENXIO};
  OpenedFd file = folder_.open(question.path, flags | O_NONBLOCK | O_NOCTTY);
  if (file.error != 0) return file;
  struct stat opened {};
  if (fstat(file.fd.get(), &opened) != 0) return {HostFd(), errno};
  if (opened.st_dev != host.st_dev || opened.st_ino != host.st_ino) return {HostFd(), ESTALE};
  return file;
}

// --- Attributes ---

std::optional<HostShare::Kept> HostShare::kept_of(int fd) const {
  std::array<char, 128> text{};
  const ssize_t bytes = getxattr(fd_path(fd).c_str(), kKeptXattr, text.data(), text.size() - 1);
  if (bytes <= 0) return std::nullopt;
  Kept kept;
  unsigned long rdev = 0;
  if (std::sscanf(text.data(), "uid=%u gid=%u mode=%o rdev=%lu", &kept.uid, &kept.gid, &kept.mode, &rdev) !=
      4)
    return std::nullopt;
  kept.rdev = rdev;
  return kept;
}

HostShare::Errno HostShare::keep(int fd, const Kept& kept) const {
  const std::string text =
      fmt::format("uid={} gid={} mode={:o} rdev={}", kept.uid, kept.gid, kept.mode, kept.rdev);
  return setxattr(fd_path(fd).c_str(), kKeptXattr, text.data(), text.size(), 0) != 0 ? errno : 0;
}

HostShare::Attributes HostShare::attributes_of(int fd, const struct stat& host) const {
  Attributes file;
  file.device = host.st_dev;
  file.inode = host.st_ino;
  file.mode = host.st_mode;
  file.links = host.st_nlink;
  file.rdev = host.st_rdev;
  file.size = static_cast<u64>(host.st_size);
  file.atime = fixed_times_ ? kFixedTime : time_of(host.st_atim);
  file.mtime = fixed_times_ ? kFixedTime : time_of(host.st_mtim);
  file.ctime = fixed_times_ ? kFixedTime : time_of(host.st_ctim);
  const bool real = owner_ == ShareOwner::Real;
  file.uid = real ? host.st_uid : 0;
  file.gid = real ? host.st_gid : 0;
  // Everything is root's in the guest: what lets somebody else's program run as its owner on the host does not there.
  if (!real && S_ISREG(host.st_mode))
    file.mode &= ~((host.st_uid == 0 ? 0u : u32{S_ISUID}) | (host.st_gid == 0 ? 0u : u32{S_ISGID}));
  if (!S_ISREG(host.st_mode) && !S_ISDIR(host.st_mode)) return file;
  const std::optional<Kept> kept = kept_of(fd);
  if (!kept) return file;
  const u32 type = kept->mode & S_IFMT;
  const bool other_type =
      S_ISREG(host.st_mode) && (type == S_IFCHR || type == S_IFBLK || type == S_IFIFO || type == S_IFSOCK);
  file.mode = (other_type ? type : host.st_mode & S_IFMT) | (kept->mode & kPermissions);
  if (other_type) file.rdev = kept->rdev;
  if (!real) {
    file.uid = kept->uid;
    file.gid = kept->gid;
  }
  return file;
}

devices::ShareAnswer HostShare::attributes_answer(int fd) const {
  struct stat host {};
  if (fstat(fd, &host) != 0) return failed(errno);
  Answer out;
  out.attributes = attributes_of(fd, host);
  return out;
}

devices::ShareAnswer HostShare::stat(const Question& question) {
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  return error != 0 ? failed(error) : attributes_answer(fd);
}

HostShare::Errno HostShare::give(int fd, const struct stat& host, const Attributes& wanted,
                                 bool owner_too) const {
  const bool real = owner_ == ShareOwner::Real;
  if (S_ISLNK(host.st_mode)) {
    // A link has no attributes to keep an owner in, and its mode says nothing.
    if (!real || !owner_too) return 0;
    return fchownat(fd, "", wanted.uid, wanted.gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
  }
  if (real && owner_too && (host.st_uid != wanted.uid || host.st_gid != wanted.gid) &&
      fchownat(fd, "", wanted.uid, wanted.gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
    return errno;
  const bool folder = S_ISDIR(host.st_mode);
  const u32 mode = wanted.mode & kPermissions;
  const mode_t on_host = real ? mode & ~kSetIds : host_mode(mode, folder);
  const bool fits = on_host == mode && (wanted.mode & S_IFMT) == (host.st_mode & S_IFMT) &&
                    (real || (wanted.uid == 0 && wanted.gid == 0));
  if ((host.st_mode & kPermissions) != on_host && chmod(fd_path(fd).c_str(), on_host) != 0) return errno;
  if (!fits || kept_of(fd)) return keep(fd, {wanted.uid, wanted.gid, wanted.mode, wanted.rdev});
  return 0;
}

HostShare::Errno HostShare::truncate(const Question& question) {
  if (!good_offset(question.attributes.size)) return EFBIG;
  const off_t size = static_cast<off_t>(question.attributes.size);
  if (question.by_handle) {
    const auto handle = handles_.find(question.handle);
    if (handle == handles_.end()) return EBADF;
    return ftruncate(handle->second.get(), size) != 0 ? errno : 0;
  }
  const OpenedFd file = open_content(question, O_WRONLY, false);
  if (file.error != 0) return file.error;
  return ftruncate(file.fd.get(), size) != 0 ? errno : 0;
}

HostShare::Errno HostShare::set_times(int fd, const Question& question) const {
  const auto time = [&](u32 bit, u32 given, const devices::ShareTime& to) {
    timespec out{};
    out.tv_nsec = (question.set & bit) == 0 ? UTIME_OMIT : UTIME_NOW;
    if ((question.set & bit) != 0 && (question.set & given) != 0) out = {to.s, static_cast<long>(to.ns)};
    return out;
  };
  const timespec times[] = {time(share_set::kAtime, share_set::kAtimeSet, question.attributes.atime),
                            time(share_set::kMtime, share_set::kMtimeSet, question.attributes.mtime)};
  if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0) return 0;
  // Linux before 5.8.
  return utimensat(AT_FDCWD, fd_path(fd).c_str(), times, 0) != 0 ? errno : 0;
}

devices::ShareAnswer HostShare::set(const Question& question) {
  if (question.set & share_set::kSize)
    if (const Errno error = truncate(question); error != 0) return failed(error);
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  if (error != 0) return failed(error);
  const bool owner_too = (question.set & (share_set::kUid | share_set::kGid)) != 0;
  if (owner_too || (question.set & share_set::kMode)) {
    struct stat host {};
    if (fstat(fd, &host) != 0) return failed(errno);
    Attributes wanted = attributes_of(fd, host);
    if (question.set & share_set::kMode)
      wanted.mode = (wanted.mode & S_IFMT) | (question.attributes.mode & kPermissions);
    if (question.set & share_set::kUid) wanted.uid = question.attributes.uid;
    if (question.set & share_set::kGid) wanted.gid = question.attributes.gid;
    error = give(fd, host, wanted, owner_too);
    if (error != 0) return failed(error);
  }
  if (question.set & (share_set::kAtime | share_set::kMtime)) error = set_times(fd, question);
  return failed(error);
}

// --- Content ---

devices::ShareAnswer HostShare::list(const Question& question) {
  OpenedFd folder = open_expected(question, O_RDONLY | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const int fd = folder.fd.get();
  struct stat host {};
  if (fstat(fd, &host) != 0) return failed(errno);
  const int own = dup(fd);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(own < 0 ? nullptr : fdopendir(own), closedir);
  if (!stream) {
    const int error = errno;
    if (own >= 0) ::close(own);
    return failed(error);
  }
  Answer out;
  u64 bytes = 0;
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bytes += sizeof(devices::ShareEntry) + name.size();
    if (bytes > kMaxListBytes) return failed(ENOMEM);
    devices::ShareEntry found = {name, host.st_dev, entry->d_ino, static_cast<u32>(DTTOIF(entry->d_type))};
    // Which of them are devices of the guest's only an attribute says, and they are empty.
    if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) {
      struct stat file {};
      if (fstatat(fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;
      found.mode = file.st_mode & S_IFMT;
      if (S_ISREG(file.st_mode) && file.st_size == 0) {
        const HostFd one(openat(fd, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (one) found.mode = attributes_of(one.get(), file).mode & S_IFMT;
      }
    }
    out.entries.push_back(std::move(found));
  }
  if (errno != 0) return failed(errno);
  std::ranges::sort(out.entries, {}, &devices::ShareEntry::name);
  return out;
}

devices::ShareAnswer HostShare::open(const Question& question) {
  if (handles_.size() >= kMaxHandles) return failed(ENFILE);
  const int access = static_cast<int>(question.flags & kAccess);
  OpenedFd file;
  if (question.by_handle) {
    const auto source = handles_.find(question.from_handle);
    if (source == handles_.end()) return failed(EBADF);
    file = open_again(source->second.get(), access);
  } else {
    file = open_content(question, access, false);
  }
  if (file.error != 0) return failed(file.error);
  if (question.flags & kEmptied) {
    // One that is opened to be read can be emptied, too.
    const OpenedFd writable = access == O_RDONLY ? open_again(file.fd.get(), O_WRONLY) : OpenedFd{};
    if (writable.error != 0) return failed(writable.error);
    if (ftruncate(writable.fd ? writable.fd.get() : file.fd.get(), 0) != 0) return failed(errno);
  }
  const Answer out = attributes_answer(file.fd.get());
  if (out.error == 0) handles_[question.handle] = std::move(file.fd);
  return out;
}

devices::ShareAnswer HostShare::read(const Question& question) {
  const auto handle = handles_.find(question.handle);
  if (handle == handles_.end()) return failed(EBADF);
  if (!good_offset(question.offset)) return failed(EINVAL);
  Answer out;
  out.content.resize(std::min<u64>(question.bytes, kMaxReadBytes));
  std::size_t done = 0;
  while (done < out.content.size()) {
    const ssize_t got = pread(handle->second.get(), out.content.data() + done, out.content.size() - done,
                              static_cast<off_t>(question.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && done == 0) return failed(errno);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  out.content.resize(done);
  return out;
}

devices::ShareAnswer HostShare::write(const Question& question) {
  const auto handle = handles_.find(question.handle);
  if (handle == handles_.end()) return failed(EBADF);
  if (!good_offset(question.offset)) return failed(EFBIG);
  Answer out;
  while (out.count < question.data.size()) {
    const ssize_t put =
        pwrite(handle->second.get(), question.data.data() + out.count, question.data.size() - out.count,
               static_cast<off_t>(question.offset + out.count));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && out.count == 0) return failed(errno);
    if (put <= 0) break;
    out.count += static_cast<u64>(put);
  }
  return out;
}

devices::ShareAnswer HostShare::sync(const Question& question) {
  if (question.by_handle) {
    const auto handle = handles_.find(question.handle);
    return failed(handle == handles_.end() ? EBADF : fsync(handle->second.get()) != 0 ? errno : 0);
  }
  const OpenedFd file = open_content(question, O_RDONLY, true);
  if (file.error != 0) return failed(file.error);
  return failed(fsync(file.fd.get()) != 0 ? errno : 0);
}

// --- Names ---

devices::ShareAnswer HostShare::create(const Question& question) {
  if (handles_.size() >= kMaxHandles) return failed(ENFILE);
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const char* const name = question.name.c_str();
  HostFd file(openat(
      folder.fd.get(), name,
      static_cast<int>(question.flags & kAccess) | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
      S_IRUSR | S_IWUSR));
  if (!file) return failed(errno);
  struct stat host {};
  Errno error = fstat(file.get(), &host) != 0 ? errno : 0;
  if (error == 0)
    error = give(file.get(), host, question.attributes, owner_ == ShareOwner::Mapped || geteuid() == 0);
  const Answer out = error == 0 ? attributes_answer(file.get()) : failed(error);
  if (out.error != 0)
    unlinkat(folder.fd.get(), name, 0);
  else
    handles_[question.handle] = std::move(file);
  return out;
}

devices::ShareAnswer HostShare::make_node(const Question& question) {
  const u32 type = question.attributes.mode & S_IFMT;
  Question wanted = question;
  if (type == 0)
    wanted.attributes.mode |= S_IFREG;
  else if (type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
    return failed(EINVAL);
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const char* const name = question.name.c_str();
  const HostFd file(
      openat(folder.fd.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return failed(errno);
  struct stat host {};
  Errno error = fstat(file.get(), &host) != 0 ? errno : 0;
  if (error == 0)
    error = give(file.get(), host, wanted.attributes, owner_ == ShareOwner::Mapped || geteuid() == 0);
  const Answer out = error == 0 ? attributes_answer(file.get()) : failed(error);
  if (out.error != 0) unlinkat(folder.fd.get(), name, 0);
  return out;
}

devices::ShareAnswer HostShare::make_folder(const Question& question) {
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const char* const name = question.name.c_str();
  if (mkdirat(folder.fd.get(), name, S_IRWXU) != 0) return failed(errno);
  const HostFd made(openat(folder.fd.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat host {};
  Errno error = !made || fstat(made.get(), &host) != 0 ? errno : 0;
  if (error == 0)
    error = give(made.get(), host, question.attributes, owner_ == ShareOwner::Mapped || geteuid() == 0);
  const Answer out = error == 0 ? attributes_answer(made.get()) : failed(error);
  if (out.error != 0) unlinkat(folder.fd.get(), name, AT_REMOVEDIR);
  return out;
}

devices::ShareAnswer HostShare::make_link(const Question& question) {
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const char* const name = question.name.c_str();
  if (symlinkat(question.target.c_str(), folder.fd.get(), name) != 0) return failed(errno);
  const HostFd made(openat(folder.fd.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat host {};
  Errno error = !made || fstat(made.get(), &host) != 0 ? errno : 0;
  if (error == 0) error = give(made.get(), host, question.attributes, geteuid() == 0);
  return error == 0 ? attributes_answer(made.get()) : failed(error);
}

devices::ShareAnswer HostShare::link(const Question& question) {
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  const std::size_t slash = question.other_path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : question.other_path.substr(0, slash);
  const std::string name =
      slash == std::string::npos ? question.other_path : question.other_path.substr(slash + 1);
  const OpenedFd from = folder_.open(parent, O_PATH | O_DIRECTORY);
  if (from.error != 0) return failed(from.error);
  return {.error = errno_of(linkat(from.fd.get(), name.c_str(), folder.fd.get(), question.name.c_str(), 0))};
}

devices::ShareAnswer HostShare::rename(const Question& question) {
  const OpenedFd from = open_expected(question, O_PATH | O_DIRECTORY);
  if (from.error != 0) return failed(from.error);
  const OpenedFd to = folder_.open(question.other_path, O_PATH | O_DIRECTORY);
  if (to.error != 0) return failed(to.error);
  const char* const old_name = question.name.c_str();
  const char* const new_name = question.target.c_str();
  struct stat old_file {
  }, new_file{};
  const bool one_file = fstatat(from.fd.get(), old_name, &old_file, AT_SYMLINK_NOFOLLOW) == 0 &&
                        fstatat(to.fd.get(), new_name, &new_file, AT_SYMLINK_NOFOLLOW) == 0 &&
                        old_file.st_dev == new_file.st_dev && old_file.st_ino == new_file.st_ino;
  if (renameat(from.fd.get(), old_name, to.fd.get(), new_name) != 0) return failed(errno);
  Answer out;
  out.count = one_file ? 0 : 1;
  return out;
}

devices::ShareAnswer HostShare::remove(const Question& question, int flags) {
  const OpenedFd folder = open_expected(question, O_PATH | O_DIRECTORY);
  if (folder.error != 0) return failed(folder.error);
  return {.error = errno_of(unlinkat(folder.fd.get(), question.name.c_str(), flags))};
}

devices::ShareAnswer HostShare::read_link(const Question& question) {
  const OpenedFd file = open_expected(question, O_PATH);
  if (file.error != 0) return failed(file.error);
  Answer out;
  out.content.resize(4096);
  const ssize_t bytes =
      readlinkat(file.fd.get(), "", reinterpret_cast<char*>(out.content.data()), out.content.size());
  if (bytes < 0) return failed(errno == ENOENT ? EINVAL : errno);  // ENOENT: it is no link
  out.content.resize(static_cast<std::size_t>(bytes));
  return out;
}

// --- Extended attributes ---

devices::ShareAnswer HostShare::list_xattrs(const Question& question) {
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  return error != 0 ? failed(error) : xattr_names(fd);
}

devices::ShareAnswer HostShare::get_xattr(const Question& question) {
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  return error != 0 ? failed(error) : xattr_value(fd, question.name);
}

devices::ShareAnswer HostShare::set_xattr(const Question& question) {
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  if (error != 0) return failed(error);
  const int how = question.flags == 1 ? XATTR_CREATE : question.flags == 2 ? XATTR_REPLACE : 0;
  return {.error = errno_of(setxattr(fd_path(fd).c_str(), question.name.c_str(), question.data.data(),
                                     question.data.size(), how))};
}

devices::ShareAnswer HostShare::remove_xattr(const Question& question) {
  OpenedFd owned;
  Errno error = 0;
  const int fd = file_of(question, owned, error);
  if (error != 0) return failed(error);
  return {.error = errno_of(removexattr(fd_path(fd).c_str(), question.name.c_str()))};
}

devices::ShareAnswer HostShare::space() {
  struct statvfs host {};
  if (fstatvfs(folder_.root(), &host) != 0) return failed(errno);
  Answer out;
  out.space = {static_cast<u32>(host.f_frsize),
               host.f_blocks,
               host.f_bfree,
               host.f_bavail,
               host.f_files,
               host.f_ffree};
  return out;
}

}  // namespace reprise::machine
