// Server: what makes, renames and removes names.
#include "devices/p9/linux_errno.h"
#include "devices/p9/server.h"

namespace reprise::devices::p9 {

using namespace linux_errno;

namespace {

constexpr u32 kOpenAccess = 3;
constexpr u32 kOpenExclusively = 0200;
constexpr u32 kRemoveFolder = 0x200;
constexpr u64 kNewName = NameTree::kNodeBytes + kMaxNameBytes;

/// As Linux encodes it for programs.
u64 device_number(u32 major, u32 minor) {
  return (minor & 0xff) | (u64{major} & 0xfff) << 8 | (u64{minor} & ~u64{0xff}) << 12;
}

}  // namespace

Server::Error Server::make(u32 number, const std::string& name, ShareQuestion question, Writer& out) {
  Fid* const folder = find(number);
  if (folder == nullptr) return kEBADF;
  if (!has_room(kNewName)) return kENOMEM;
  if (const Error error = check_name(*folder->node, name); error != 0) return error;
  question.name = name;
  question.attributes.uid = folder->uid;
  const ShareAnswer answer = ask_of_name(*folder->node, std::move(question));
  if (answer.error != 0) return answer.error;
  const Node& node = names_.made(*folder->node, name, {answer.attributes.device, answer.attributes.inode});
  out.qid(qid_of(answer.attributes.mode, node.number));
  return 0;
}

Server::Error Server::symlink(Reader& in, Writer& out) {
  const u32 folder = in.take32();
  const std::string name = in.string();
  ShareQuestion question = {.op = ShareOp::MakeLink, .target = in.string()};
  question.attributes.gid = in.take32();
  if (!in.complete()) return kEPROTO;
  if (question.target.empty() || question.target.find('\0') != std::string::npos) return kEINVAL;
  if (question.target.size() > kMaxLinkBytes) return kENAMETOOLONG;
  return make(folder, name, std::move(question), out);
}

Server::Error Server::mknod(Reader& in, Writer& out) {
  const u32 folder = in.take32();
  const std::string name = in.string();
  ShareQuestion question = {.op = ShareOp::MakeNode};
  question.attributes.mode = in.take32();
  const u32 major = in.take32();
  const u32 minor = in.take32();
  question.attributes.rdev = device_number(major, minor);
  question.attributes.gid = in.take32();
  if (!in.complete()) return kEPROTO;
  const u32 type = question.attributes.mode & share_mode::kType;
  if (type == share_mode::kFolder || type == share_mode::kLink) return kEINVAL;
  return make(folder, name, std::move(question), out);
}

Server::Error Server::mkdir(Reader& in, Writer& out) {
  const u32 folder = in.take32();
  const std::string name = in.string();
  ShareQuestion question = {.op = ShareOp::MakeFolder};
  question.attributes.mode = share_mode::kFolder | (in.take32() & share_mode::kPermissions);
  question.attributes.gid = in.take32();
  if (!in.complete()) return kEPROTO;
  return make(folder, name, std::move(question), out);
}

Server::Error Server::lcreate(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const std::string name = in.string();
  const u32 flags = in.take32();
  ShareQuestion question = {.op = ShareOp::Create, .name = name, .handle = number};
  question.flags = flags & kOpenAccess;
  question.attributes.mode = share_mode::kRegular | (in.take32() & share_mode::kPermissions);
  question.attributes.gid = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (fid->kind != Kind::Name || question.flags == kOpenAccess) return kEINVAL;
  if (!has_room(kNewName)) return kENOMEM;
  Node& folder = *fid->node;
  if (const Error error = check_name(folder, name); error != 0) return error;
  question.attributes.uid = fid->uid;
  limit_handles();
  const ShareAnswer answer = ask_of_name(folder, question);
  if (answer.error == kEEXIST && (flags & kOpenExclusively) == 0) {
    Node* file = nullptr;
    ShareAttributes attributes;
    if (const Error error = step(folder, name, file, attributes); error != 0) return error;
    names_.use(folder);
    point(*fid, *file);
    const Error error = open(number, *fid, flags, out);
    if (error != 0) point(*fid, folder);
    names_.stop_using(folder);
    return error;
  }
  if (answer.error != 0) return answer.error;
  Node& node = names_.made(folder, name, {answer.attributes.device, answer.attributes.inode});
  point(*fid, node);
  fid->kind = Kind::File;
  fid->flags = question.flags;
  fid->open = true;
  fid->last_use = ++uses_;
  ++open_handles_;
  out.qid(qid_of(answer.attributes.mode, node.number));
  out.put32(0);
  return 0;
}

Server::Error Server::link(Reader& in, Writer&) {
  const u32 folder_number = in.take32();
  const u32 file_number = in.take32();
  const std::string name = in.string();
  if (!in.complete()) return kEPROTO;
  Fid* const folder = find(folder_number);
  Fid* const file = find(file_number);
  if (folder == nullptr || file == nullptr) return kEBADF;
  if (!has_room(kNewName)) return kENOMEM;
  if (const Error error = check_name(*folder->node, name); error != 0) return error;
  const std::optional<std::string> path = names_.path_of(*file->node);
  if (!path) return kESTALE;
  const ShareAnswer answer =
      ask_of_name(*folder->node, {.op = ShareOp::Link, .name = name, .other_path = *path});
  if (answer.error == 0) names_.linked(*folder->node, name, *file->node);
  return answer.error;
}

Server::Error Server::rename_node(Node& from_folder, const std::string& from, Node& to_folder,
                                  const std::string& to) {
  if (!has_room(2 * kNewName)) return kENOMEM;
  if (const Error error = check_name(from_folder, from); error != 0) return error;
  if (const Error error = check_name(to_folder, to); error != 0) return error;
  Node* node = names_.find(from_folder, from);
  ShareAttributes attributes;
  if (node == nullptr)
    if (const Error error = step(from_folder, from, node, attributes); error != 0) return error;
  for (const Node* at = &to_folder; at != nullptr; at = at->parent)
    if (at == node) return kEINVAL;
  if (!names_.can_move(*node, to_folder)) return kENAMETOOLONG;
  Node* const there = names_.find(to_folder, to);
  const std::optional<ShareAttributes> replaced = there != node ? folder_in_use(there) : std::nullopt;
  const ShareAnswer answer = ask_of_name(
      from_folder,
      {.op = ShareOp::Rename, .name = from, .other_path = *names_.path_of(to_folder), .target = to});
  if (answer.error != 0) return answer.error;
  if (answer.count != 0) names_.move(*node, to_folder, to, replaced ? &*replaced : nullptr);
  return 0;
}

Server::Error Server::rename(Reader& in, Writer&) {
  const u32 number = in.take32();
  const u32 folder_number = in.take32();
  const std::string name = in.string();
  if (!in.complete()) return kEPROTO;
  Fid* const file = find(number);
  Fid* const folder = find(folder_number);
  if (file == nullptr || folder == nullptr) return kEBADF;
  Node* const parent = file->node->parent;
  if (parent == nullptr) return file->node->gone ? kESTALE : kEINVAL;
  const std::string old_name = file->node->name;
  return rename_node(*parent, old_name, *folder->node, name);
}

Server::Error Server::renameat(Reader& in, Writer&) {
  const u32 from_number = in.take32();
  const std::string from = in.string();
  const u32 to_number = in.take32();
  const std::string to = in.string();
  if (!in.complete()) return kEPROTO;
  Fid* const from_folder = find(from_number);
  Fid* const to_folder = find(to_number);
  if (from_folder == nullptr || to_folder == nullptr) return kEBADF;
  return rename_node(*from_folder->node, from, *to_folder->node, to);
}

std::optional<ShareAttributes> Server::folder_in_use(Node* node) {
  if (node == nullptr || node->users == 0) return std::nullopt;
  const ShareAnswer answer = ask_of_name(*node, {.op = ShareOp::Stat});
  if (answer.error != 0 || (answer.attributes.mode & share_mode::kType) != share_mode::kFolder)
    return std::nullopt;
  const ShareAttributes& is = answer.attributes;
  return ShareAttributes{
      .mode = is.mode, .uid = is.uid, .gid = is.gid, .atime = is.atime, .mtime = is.mtime, .ctime = is.ctime};
}

Server::Error Server::remove_name(Node& folder, const std::string& name, bool is_folder) {
  if (const Error error = check_name(folder, name); error != 0) return error;
  Node* const node = names_.find(folder, name);
  const std::optional<ShareAttributes> was = is_folder ? folder_in_use(node) : std::nullopt;
  const ShareAnswer answer =
      ask_of_name(folder, {.op = is_folder ? ShareOp::RemoveFolder : ShareOp::Remove, .name = name});
  if (answer.error != 0) return answer.error;
  if (node != nullptr) names_.remove(*node, was ? &*was : nullptr);
  return 0;
}

Server::Error Server::unlinkat(Reader& in, Writer&) {
  const u32 number = in.take32();
  const std::string name = in.string();
  const u32 flags = in.take32();
  if (!in.complete()) return kEPROTO;
  if (flags & ~kRemoveFolder) return kEINVAL;
  Fid* const folder = find(number);
  return folder != nullptr ? remove_name(*folder->node, name, flags != 0) : kEBADF;
}

/// The fid is gone afterwards, whatever happens.
Server::Error Server::remove(Reader& in, Writer&) {
  const u32 number = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  Error error = kEINVAL;
  if (Node* const parent = fid->node->parent) {
    const ShareAnswer answer = ask_of_name(*fid->node, {.op = ShareOp::Stat});
    const std::string name = fid->node->name;
    const bool is_folder = (answer.attributes.mode & share_mode::kType) == share_mode::kFolder;
    error = answer.error != 0 ? answer.error : remove_name(*parent, name, is_folder);
  }
  const Error dropped = drop_fid(number);
  return error != 0 ? error : dropped;
}

Server::Error Server::readlink(Reader& in, Writer& out) {
  const u32 number = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  const ShareAnswer answer = ask_of_name(*fid->node, {.op = ShareOp::ReadLink});
  if (answer.error != 0) return answer.error;
  out.string({reinterpret_cast<const char*>(answer.content.data()), answer.content.size()});
  return 0;
}

}  // namespace reprise::devices::p9
