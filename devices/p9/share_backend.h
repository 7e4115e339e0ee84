// ShareBackend: what a server of shared files asks the host. Each question and answer is a value, so that whoever stands between
// (a log, a test) needs to know one function.
//
// Files are named by paths relative to the share: names with single '/' between, "" for its root. No name is "", "." or
// "..", or holds '/' or NUL. Symbolic links are never followed: the guest resolves them itself.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/types.h"

namespace reprise::devices {

struct ShareTime {
  i64 s = 0;
  u32 ns = 0;
};

/// As stat(2) has them.
struct ShareAttributes {
  u64 device = 0;  // with inode: which file it is on the host. The guest never sees them
  u64 inode = 0;
  u32 mode = 0;  // with the type
  u32 uid = 0;
  u32 gid = 0;
  u64 links = 0;
  u64 rdev = 0;  // as Linux encodes it for programs
  u64 size = 0;
  ShareTime atime, mtime, ctime;

  bool same_file(const ShareAttributes& other) const {
    return device == other.device && inode == other.inode;
  }
};

/// Of a file's mode.
namespace share_mode {
inline constexpr u32 kType = 0170000;
inline constexpr u32 kFolder = 0040000;
inline constexpr u32 kRegular = 0100000;
inline constexpr u32 kLink = 0120000;
inline constexpr u32 kPermissions = 07777;
}  // namespace share_mode

/// What of ShareQuestion::attributes is to be set: the bits of Tsetattr.
namespace share_set {
inline constexpr u32 kMode = 0x001;
inline constexpr u32 kUid = 0x002;
inline constexpr u32 kGid = 0x004;
inline constexpr u32 kSize = 0x008;
inline constexpr u32 kAtime = 0x010;  // to now, or with kAtimeSet to the one given
inline constexpr u32 kMtime = 0x020;
inline constexpr u32 kCtime = 0x040;
inline constexpr u32 kAtimeSet = 0x080;
inline constexpr u32 kMtimeSet = 0x100;
}  // namespace share_set

enum class ShareOp : u8 {
  Stat,  // -> attributes
  List,  // -> entries, sorted by name
  Open,  // a regular file, as `handle`, with `flags` -> attributes. With by_handle: the one that is open as `from_handle`
  Create,      // regular file `name` in folder `path`, opened as `handle`. Fails where there is one
  Read,        // `bytes` at `offset` of `handle` -> content
  Write,       // `data` at `offset` of `handle` -> count
  Sync,        // `handle`, or the file
  Close,       // `handle`. Never fails
  CloseAll,    // every handle. Never fails
  Set,         // `set` of `attributes`
  MakeFolder,  // `name` in folder `path`
  MakeLink,    // symbolic link `name` to `target`
  MakeNode,    // `name` with type and rdev of `attributes`
  Link,        // `name` in folder `path` becomes another name of the file `other_path`
  Rename,  // `name` in `path` to `target` in folder `other_path` -> count 0: both are one file, so nothing was done
  Remove,        // `name`, which is no folder
  RemoveFolder,  // `name`
  ReadLink,      // -> content
  ListXattrs,    // -> content: names, each with a NUL behind it
  GetXattr,      // `name` -> content
  SetXattr,      // `name` to `data`; flags 1: fails where there is one, 2: where there is none
  RemoveXattr,   // `name`
  Space,         // -> space
};
inline constexpr ShareOp kLastShareOp = ShareOp::Space;

struct ShareQuestion {
  ShareOp op = ShareOp::Stat;
  std::string path = {};
  std::string name = {};
  std::string other_path = {};
  std::string target = {};
  u32 handle = 0;          // the asker's number for an open file
  bool by_handle = false;  // the file is `handle`, else `path`
  u32 from_handle = 0;     // Open
  u32 flags = 0;  // of open(2), as Linux numbers them: 0 to 2 how it is accessed, 01000 it is emptied
  u64 offset = 0;
  u32 bytes = 0;
  u32 set = 0;
  ShareAttributes attributes = {};  // new ones; of what is made: mode, uid, gid, rdev
  std::span<const u8> data = {};
  /// The file that `path` must be (device and inode), else the answer is ESTALE; not known: inode 0.
  ShareAttributes expected = {};
};

struct ShareEntry {
  std::string name;
  u64 device = 0;
  u64 inode = 0;
  u32 mode = 0;  // the type
};

struct ShareSpace {
  u32 block_bytes = 0;
  u64 blocks = 0, free = 0, available = 0, files = 0, free_files = 0;
};

struct ShareAnswer {
  u32 error = 0;  // an errno of Linux; EBADF: nothing is open as `handle`
  ShareAttributes attributes = {};
  u64 count = 0;
  std::vector<u8> content = {};
  std::vector<ShareEntry> entries = {};
  ShareSpace space = {};
};

/// Calls may block on the host's disk; they take no time of the guest's. Thread: the machine's.
class ShareBackend {
 public:
  virtual ~ShareBackend() = default;
  virtual ShareAnswer ask(const ShareQuestion& question) = 0;
};

}  // namespace reprise::devices
