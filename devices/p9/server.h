// Server of 9P2000.L for one client: takes a request as bytes, asks the host through a ShareBackend, and gives the reply as
// bytes. The guest is hostile: every field is checked, and what it can make the server keep has a bound.
//
// A fid stands for a name (name_tree.h), so it costs no descriptor; one that was opened has a handle of the host's too. When
// there are many, those least recently used are closed and opened again at need, but for files whose name is gone. After a
// load no handle is open: what cannot be opened again answers ESTALE.
//
// Missing: authentication (Tauth), POSIX ACLs and xattrs other than user.*, which are refused with EOPNOTSUPP.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/archive.h"
#include "devices/p9/lock_table.h"
#include "devices/p9/message.h"
#include "devices/p9/name_tree.h"
#include "devices/p9/share_backend.h"

namespace reprise::devices::p9 {

class Server {
 public:
  /// The largest message, either way.
  static constexpr u32 kMaxMessageBytes = 512 * 1024;
  static constexpr u32 kMinMessageBytes = 4096;
  /// Of a file below the root. One that a guest's program names at once is shorter; folders lie deeper.
  static constexpr std::size_t kMaxPathBytes = 65535;
  static constexpr std::size_t kMaxLinkBytes = 4095;
  static constexpr std::size_t kMaxWalkNames = 16;
  static constexpr u32 kMaxXattrBytes = 65536;
  /// What names, fids and their content may take of memory: some 200 000 files.
  static constexpr u64 kMaxBytes = 64 << 20;
  /// Handles of the host's that are open at a time, but for files whose name is gone.
  static constexpr u32 kMaxHandles = 256;

  explicit Server(ShareBackend& host);

  /// The reply to `message`, which has a header, in at most `room` bytes; at least kErrorBytes.
  std::vector<u8> reply_to(std::span<const u8> message, u32 room);
  /// As at power-on.
  void reset();
  void serialize(Archive& archive);
  /// Which handles of the host's are open, which is no state: for who goes on as the same server. Behind serialize().
  void serialize_handles(Archive& archive);
  /// None is open any more.
  void lose_handles();
  std::string debug_dump() const;

 private:
  enum class Kind : u8 { Name, File, Folder, XattrRead, XattrWrite };
  struct Listed {
    std::string name;
    u64 number = 0;
    u32 mode = 0;  // the type
  };
  struct Fid {
    Node* node = nullptr;
    u32 uid = 0;
    Kind kind = Kind::Name;
    u32 flags = 0;  // File: of open; XattrWrite: of Txattrcreate
    // Folder: what it held when it was last read from its beginning
    bool listed = false;
    std::vector<Listed> entries;
    // XattrRead, XattrWrite
    std::string xattr;
    u32 content_bytes = 0;  // that there will be
    std::vector<u8> content;
    // Of the host: no state
    bool open = false;
    u64 last_use = 0;

    bool readable() const { return (flags & 3) != 1; }
    bool writable() const { return (flags & 3) != 0; }
    u64 bytes() const;
  };
  /// A request or part of one: an errno of Linux, 0 for success.
  using Error = u32;
  using Handler = Error (Server::*)(Reader& in, Writer& out);
  struct Row {
    Type type;
    Handler handler;
  };
  static std::span<const Row> rows();

  // --- Requests: server_session.cpp, server_names.cpp, server_files.cpp, server_xattrs.cpp ---
  Error version(Reader& in, Writer& out);
  Error auth(Reader& in, Writer& out);
  Error attach(Reader& in, Writer& out);
  Error flush(Reader& in, Writer& out);
  Error walk(Reader& in, Writer& out);
  Error clunk(Reader& in, Writer& out);

  Error lcreate(Reader& in, Writer& out);
  Error symlink(Reader& in, Writer& out);
  Error mknod(Reader& in, Writer& out);
  Error mkdir(Reader& in, Writer& out);
  Error link(Reader& in, Writer& out);
  Error rename(Reader& in, Writer& out);
  Error renameat(Reader& in, Writer& out);
  Error unlinkat(Reader& in, Writer& out);
  Error remove(Reader& in, Writer& out);
  Error readlink(Reader& in, Writer& out);

  Error statfs(Reader& in, Writer& out);
  Error getattr(Reader& in, Writer& out);
  Error setattr(Reader& in, Writer& out);
  Error lopen(Reader& in, Writer& out);
  Error readdir(Reader& in, Writer& out);
  Error read(Reader& in, Writer& out);
  Error write(Reader& in, Writer& out);
  Error fsync(Reader& in, Writer& out);
  Error lock(Reader& in, Writer& out);
  Error getlock(Reader& in, Writer& out);

  Error xattrwalk(Reader& in, Writer& out);
  Error xattrcreate(Reader& in, Writer& out);

  // --- Fids ---
  /// nullptr: there is none.
  Fid* find(u32 number);
  bool has_room(u64 bytes);
  u64 bytes() const;
  /// A new one, which must not be there yet.
  Fid& add_fid(u32 number, Node& node, u32 uid);
  Error drop_fid(u32 number);
  void drop_fids();
  /// The node of a fid changes.
  void point(Fid& fid, Node& node);

  // --- Asking the host ---
  /// About the file that `node` names. ESTALE: the name is gone, or another file has it now.
  ShareAnswer ask_of_name(Node& node, ShareQuestion question);
  /// The same when the name is gone: another fid may have the file open.
  ShareAnswer ask_of_removed(const Node& node, ShareQuestion question);
  /// About a fid's file: by its handle where it has one.
  ShareAnswer ask_of_file(u32 number, Fid& fid, ShareQuestion question);
  /// Opens what the fid names, which gets a reply of its qid.
  Error open(u32 number, Fid& fid, u32 flags, Writer& out);
  /// Makes `name` in the folder of `number`.
  Error make(u32 number, const std::string& name, ShareQuestion question, Writer& out);
  Error open_host_file(u32 number, Fid& fid);
  void close_host_file(u32 number, Fid& fid);
  /// Closes what was not used for long when too many are open.
  void limit_handles();
  /// Whether there can be a file `name` in `folder`.
  Error check_name(const Node& folder, const std::string& name) const;
  Error step(Node& from, const std::string& name, Node*& to, ShareAttributes& attributes);
  Error list(Fid& fid);
  Error rename_node(Node& from_folder, const std::string& from, Node& to_folder, const std::string& to);
  Error remove_name(Node& folder, const std::string& name, bool is_folder);
  /// What the folder `node` is, if it is one that somebody will ask for when it is removed.
  std::optional<ShareAttributes> folder_in_use(Node* node);
  Error read_lock(Reader& in, u8& type, FileLock& lock);
  Error write_xattr(Fid& fid);

  ShareBackend& host_;
  u32 message_bytes_ = 0;  // 0: no version was agreed on
  NameTree names_;
  std::map<u32, Fid> fids_;
  u64 fid_bytes_ = 0;  // of their content
  LockTable locks_;

  // Of the host: no state
  u64 uses_ = 0;
  u32 open_handles_ = 0;
};

}  // namespace reprise::devices::p9
