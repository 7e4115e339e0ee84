// Server: attributes and content of files and folders, and locks.
#include <algorithm>

#include "devices/p9/linux_errno.h"
#include "devices/p9/server.h"

namespace reprise::devices::p9 {

using namespace linux_errno;

namespace {

constexpr u32 kV9fsMagic = 0x0102'1997;
constexpr u64 kGetattrBasic = 0x7ff;
constexpr u32 kSetattrAll = 0x1ff;
constexpr u64 kBlockBytes = 4096;
constexpr u64 kUnitsOfBlock = kBlockBytes / 512;

constexpr u32 kOpenAccess = 3;
constexpr u32 kOpenEmptied = 01000;
constexpr u32 kOpenFolder = 0200000;

constexpr u32 kENXIO = 6, kELOOP = 40;

// Tlock. BSD's numbers are others.
constexpr u8 kReadLock = 0, kWriteLock = 1, kUnlock = 2;
constexpr u8 kLockDone = 0, kLockBlocked = 1;

bool is_folder(u32 mode) { return (mode & share_mode::kType) == share_mode::kFolder; }

/// What differs between file systems of the host, for the same content, looks the same to the guest.
void make_alike(ShareAttributes& attributes) {
  if (!is_folder(attributes.mode)) return;
  attributes.size = kBlockBytes;
  attributes.links = std::min<u64>(attributes.links, 1);
}

void put_time(Writer& out, const ShareTime& time) {
  out.put64(static_cast<u64>(time.s));
  out.put64(time.ns);
}

ShareTime take_time(Reader& in) {
  ShareTime time;
  time.s = static_cast<i64>(in.take64());
  time.ns = static_cast<u32>(std::min<u64>(in.take64(), 999'999'999));
  return time;
}

}  // namespace

Server::Error Server::statfs(Reader& in, Writer& out) {
  const u32 number = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  const ShareAnswer answer = ask_of_name(names_.root(), {.op = ShareOp::Space});
  if (answer.error != 0) return answer.error;
  out.put32(kV9fsMagic);
  out.put32(answer.space.block_bytes);
  for (const u64 value : {answer.space.blocks, answer.space.free, answer.space.available, answer.space.files,
                          answer.space.free_files, u64{0}})
    out.put64(value);
  out.put32(kMaxNameBytes);
  return 0;
}

Server::Error Server::getattr(Reader& in, Writer& out) {
  const u32 number = in.take32();
  in.take64();  // what is wanted: all is given
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  ShareAnswer answer = ask_of_file(number, *fid, {.op = ShareOp::Stat});
  if (answer.error != 0) return answer.error;
  ShareAttributes& file = answer.attributes;
  make_alike(file);
  out.put64(kGetattrBasic);
  out.qid(qid_of(file.mode, fid->node->number));
  out.put32(file.mode);
  out.put32(file.uid);
  out.put32(file.gid);
  out.put64(file.links);
  out.put64(file.rdev);
  out.put64(file.size);
  out.put64(kBlockBytes);
  out.put64((file.size / kBlockBytes + (file.size % kBlockBytes != 0 ? 1 : 0)) * kUnitsOfBlock);
  put_time(out, file.atime);
  put_time(out, file.mtime);
  put_time(out, file.ctime);
  put_time(out, {});  // birth
  out.put64(0);       // generation
  out.put64(0);       // version of the data
  return 0;
}

Server::Error Server::setattr(Reader& in, Writer&) {
  const u32 number = in.take32();
  ShareQuestion question = {.op = ShareOp::Set, .set = in.take32()};
  ShareAttributes& wanted = question.attributes;
  wanted.mode = in.take32() & share_mode::kPermissions;
  wanted.uid = in.take32();
  wanted.gid = in.take32();
  wanted.size = in.take64();
  wanted.atime = take_time(in);
  wanted.mtime = take_time(in);
  if (!in.complete()) return kEPROTO;
  if (question.set & ~kSetattrAll) return kEINVAL;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  const bool by_name = (question.set & share_set::kSize) != 0 && !fid->writable();
  return (by_name ? ask_of_name(*fid->node, std::move(question))
                  : ask_of_file(number, *fid, std::move(question)))
      .error;
}

Server::Error Server::open(u32 number, Fid& fid, u32 flags, Writer& out) {
  const ShareAnswer answer = ask_of_name(*fid.node, {.op = ShareOp::Stat});
  if (answer.error != 0) return answer.error;
  const u32 type = answer.attributes.mode & share_mode::kType;
  if (type == share_mode::kFolder) {
    if ((flags & kOpenAccess) != 0) return kEISDIR;
    fid.kind = Kind::Folder;
  } else {
    if (flags & kOpenFolder) return kENOTDIR;
    if (type == share_mode::kLink) return kELOOP;
    // A device, FIFO or socket is the guest's own: the host's must not be opened.
    if (type != share_mode::kRegular) return kENXIO;
    fid.flags = flags & (kOpenAccess | kOpenEmptied);
    if (const Error error = open_host_file(number, fid); error != 0) {
      fid.flags = 0;
      return error;
    }
    fid.kind = Kind::File;
  }
  out.qid(qid_of(answer.attributes.mode, fid.node->number));
  out.put32(0);  // as much at a time as messages hold
  return 0;
}

Server::Error Server::lopen(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const u32 flags = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (fid->kind != Kind::Name || (flags & kOpenAccess) == kOpenAccess) return kEINVAL;
  return open(number, *fid, flags, out);
}

Server::Error Server::list(Fid& fid) {
  if (!names_.has_room_in(*fid.node)) return kENAMETOOLONG;
  ShareAnswer answer = ask_of_name(*fid.node, {.op = ShareOp::List});
  if (answer.error != 0) return answer.error;
  std::erase_if(answer.entries, [](const ShareEntry& entry) {
    return !is_name(entry.name) || entry.name.size() > kMaxNameBytes;
  });
  u64 wanted = 0;
  for (const ShareEntry& entry : answer.entries)
    wanted += NameTree::kNodeBytes + sizeof(Listed) + 2 * entry.name.size();
  fid_bytes_ -= fid.bytes();
  fid.entries.clear();
  fid.listed = false;
  fid_bytes_ += fid.bytes();
  if (!has_room(wanted)) return kENOMEM;
  fid_bytes_ -= fid.bytes();
  for (const ShareEntry& entry : answer.entries) {
    const Node& node = names_.seen(*fid.node, entry.name, {entry.device, entry.inode});
    fid.entries.push_back({entry.name, node.number, entry.mode});
  }
  fid_bytes_ += fid.bytes();
  fid.listed = true;
  return 0;
}

Server::Error Server::readdir(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const u64 offset = in.take64();
  const u32 count = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (fid->kind != Kind::Folder) return kENOTDIR;
  if (offset == 0 || !fid->listed)
    if (const Error error = list(*fid); error != 0) return error;

  const Node& node = *fid->node;
  const Node& parent = node.parent != nullptr ? *node.parent : node;
  const std::size_t at = out.size();
  out.put32(0);
  const u32 room = std::min(count, out.left());
  const auto put = [&](u64 index, std::string_view name, u64 file, u32 mode) {
    const u64 bytes = Qid::kBytes + 8 + 1 + 2 + name.size();
    if (out.size() - at - 4 + bytes > room) return false;
    out.qid(qid_of(mode, file));
    out.put64(index + 1);
    out.put8((mode & share_mode::kType) >> 12);
    out.string(name);
    return true;
  };
  bool more = true;
  if (offset == 0) more = put(0, ".", node.number, share_mode::kFolder);
  if (more && offset <= 1) more = put(1, "..", parent.number, share_mode::kFolder);
  for (u64 i = offset < 2 ? 0 : offset - 2; more && i < fid->entries.size(); ++i)
    more = put(i + 2, fid->entries[i].name, fid->entries[i].number, fid->entries[i].mode);
  const u32 put_bytes = static_cast<u32>(out.size() - at - 4);
  // Nothing would say that the folder ends here.
  if (!more && put_bytes == 0) return kEINVAL;
  if (out.ok()) out.patch32(at, put_bytes);
  return 0;
}

Server::Error Server::read(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const u64 offset = in.take64();
  const u32 count = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  const u32 room = std::min(count, out.left() < 4 ? 0 : out.left() - 4);
  std::span<const u8> content;
  ShareAnswer answer;
  if (fid->kind == Kind::XattrRead) {
    content = fid->content;
    content = content.subspan(std::min<u64>(offset, content.size()));
  } else {
    if (fid->kind == Kind::Folder) return kEISDIR;
    if (fid->kind != Kind::File || !fid->readable()) return kEBADF;
    answer = ask_of_file(number, *fid, {.op = ShareOp::Read, .offset = offset, .bytes = room});
    if (answer.error != 0) return answer.error;
    content = answer.content;
  }
  content = content.first(std::min<std::size_t>(content.size(), room));
  out.put32(static_cast<u32>(content.size()));
  out.bytes(content);
  return 0;
}

Server::Error Server::write(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const u64 offset = in.take64();
  const u32 count = in.take32();
  const std::span<const u8> data = in.bytes(count);
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (fid->kind == Kind::XattrWrite) {
    if (offset != fid->content.size() || count > fid->content_bytes - fid->content.size()) return kENOSPC;
    if (!has_room(count)) return kENOMEM;
    fid->content.insert(fid->content.end(), data.begin(), data.end());
    fid_bytes_ += count;
    out.put32(count);
    return 0;
  }
  if (fid->kind != Kind::File || !fid->writable()) return kEBADF;
  const ShareAnswer answer =
      ask_of_file(number, *fid, {.op = ShareOp::Write, .offset = offset, .bytes = count, .data = data});
  if (answer.error != 0) return answer.error;
  out.put32(static_cast<u32>(std::min<u64>(answer.count, count)));
  return 0;
}

Server::Error Server::fsync(Reader& in, Writer&) {
  const u32 number = in.take32();
  if (in.left() != 0) in.take32();  // whether the data alone: old clients do not say
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  return fid != nullptr ? ask_of_file(number, *fid, {.op = ShareOp::Sync}).error : kEBADF;
}

// --- Locks ---

Server::Error Server::read_lock(Reader& in, u8& type, FileLock& lock) {
  const u64 first = in.take64();
  const u64 length = in.take64();
  lock.first = first;
  lock.last =
      length == 0 || length - 1 > FileLock::kToTheEnd - first ? FileLock::kToTheEnd : first + (length - 1);
  lock.process = in.take32();
  lock.client = in.string();
  if (!in.complete()) return kEPROTO;
  if (type > kUnlock || lock.client.size() > LockTable::kMaxClientBytes) return kEINVAL;
  Fid* const fid = find(lock.fid);
  if (fid == nullptr) return kEBADF;
  lock.file = fid->node->number;
  lock.exclusive = type == kWriteLock;
  return 0;
}

/// A client that wants to wait asks again.
Server::Error Server::lock(Reader& in, Writer& out) {
  FileLock lock;
  lock.fid = in.take32();
  u8 type = in.take8();
  in.take32();  // flags
  if (const Error error = read_lock(in, type, lock); error != 0) return error;
  if (find(lock.fid)->kind != Kind::File && find(lock.fid)->kind != Kind::Folder) return kEBADF;
  const LockTable::Outcome outcome = type == kUnlock ? locks_.unlock(lock) : locks_.lock(lock);
  if (outcome == LockTable::Outcome::Full) return kENOLCK;
  out.put8(outcome == LockTable::Outcome::Blocked ? kLockBlocked : kLockDone);
  return 0;
}

Server::Error Server::getlock(Reader& in, Writer& out) {
  FileLock lock;
  lock.fid = in.take32();
  u8 type = in.take8();
  if (const Error error = read_lock(in, type, lock); error != 0) return error;
  const std::optional<FileLock> other = type == kUnlock ? std::nullopt : locks_.conflict(lock);
  const FileLock& shown = other ? *other : lock;
  out.put8(!other ? kUnlock : other->exclusive ? kWriteLock : kReadLock);
  out.put64(shown.first);
  out.put64(shown.last == FileLock::kToTheEnd ? 0 : shown.last - shown.first + 1);
  out.put32(shown.process);
  out.string(shown.client);
  return 0;
}

}  // namespace reprise::devices::p9
