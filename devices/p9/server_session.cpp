// Server: requests in and replies out, fids, walks; its state.
#include <fmt/format.h>

#include <algorithm>

#include "devices/p9/linux_errno.h"
#include "devices/p9/server.h"

namespace reprise::devices::p9 {

using namespace linux_errno;

namespace {

constexpr std::string_view kVersion = "9P2000.L";
constexpr u64 kFidBytes = 192;
constexpr u32 kOpenAccess = 3;

}  // namespace

Server::Server(ShareBackend& host)
    : host_(host), names_([this](const std::string& path) -> std::optional<FileId> {
        const ShareAnswer answer = host_.ask({.op = ShareOp::Stat, .path = path});
        if (answer.error != 0) return std::nullopt;
        return FileId{answer.attributes.device, answer.attributes.inode};
      }) {}

std::span<const Server::Row> Server::rows() {
  static constexpr Row kRows[] = {{Type::Statfs, &Server::statfs},
                                  {Type::Lopen, &Server::lopen},
                                  {Type::Lcreate, &Server::lcreate},
                                  {Type::Symlink, &Server::symlink},
                                  {Type::Mknod, &Server::mknod},
                                  {Type::Rename, &Server::rename},
                                  {Type::Readlink, &Server::readlink},
                                  {Type::Getattr, &Server::getattr},
                                  {Type::Setattr, &Server::setattr},
                                  {Type::Xattrwalk, &Server::xattrwalk},
                                  {Type::Xattrcreate, &Server::xattrcreate},
                                  {Type::Readdir, &Server::readdir},
                                  {Type::Fsync, &Server::fsync},
                                  {Type::Lock, &Server::lock},
                                  {Type::Getlock, &Server::getlock},
                                  {Type::Link, &Server::link},
                                  {Type::Mkdir, &Server::mkdir},
                                  {Type::Renameat, &Server::renameat},
                                  {Type::Unlinkat, &Server::unlinkat},
                                  {Type::Version, &Server::version},
                                  {Type::Auth, &Server::auth},
                                  {Type::Attach, &Server::attach},
                                  {Type::Flush, &Server::flush},
                                  {Type::Walk, &Server::walk},
                                  {Type::Read, &Server::read},
                                  {Type::Write, &Server::write},
                                  {Type::Clunk, &Server::clunk},
                                  {Type::Remove, &Server::remove}};
  return kRows;
}

std::vector<u8> Server::reply_to(std::span<const u8> message, u32 room) {
  const Header header = read_header(message);
  const auto row = std::ranges::find(rows(), static_cast<Type>(header.type), &Row::type);
  if (header.size < kHeaderBytes || header.size > message.size()) return error_reply(header.tag, kEPROTO);
  if (row == rows().end()) return error_reply(header.tag, kEOPNOTSUPP);
  if (message_bytes_ == 0 && row->type != Type::Version) return error_reply(header.tag, kEPROTO);
  if (message_bytes_ != 0 && header.size > message_bytes_) return error_reply(header.tag, kEMSGSIZE);
  Reader in(message.first(header.size).subspan(kHeaderBytes));
  Writer out(std::min(room, message_bytes_ != 0 ? message_bytes_ : kMinMessageBytes));
  if (const Error error = (this->*row->handler)(in, out); error != 0) return error_reply(header.tag, error);
  if (!out.ok()) return error_reply(header.tag, kEMSGSIZE);
  return std::move(out).finish(static_cast<u8>(header.type + 1), header.tag);
}

void Server::reset() {
  fids_.clear();
  fid_bytes_ = 0;
  locks_.clear();
  names_.clear();
  message_bytes_ = 0;
  open_handles_ = 0;
  host_.ask({.op = ShareOp::CloseAll});
}

// --- Session ---

Server::Error Server::version(Reader& in, Writer& out) {
  const u32 wanted = in.take32();
  const std::string name = in.string();
  if (!in.complete()) return kEPROTO;
  if (wanted < kMinMessageBytes) return kEMSGSIZE;
  // It ends what went on before.
  drop_fids();
  const bool known = name == kVersion;
  message_bytes_ = known ? std::min(wanted, kMaxMessageBytes) : 0;
  out.put32(std::min(wanted, kMaxMessageBytes));
  out.string(known ? kVersion : "unknown");
  return 0;
}

Server::Error Server::auth(Reader&, Writer&) { return kEOPNOTSUPP; }

Server::Error Server::attach(Reader& in, Writer& out) {
  const u32 number = in.take32();
  in.take32();  // a fid of Tauth
  in.string();  // the user's name: the number says it
  const std::string folder = in.string();
  const u32 uid = in.take32();
  if (!in.complete()) return kEPROTO;
  if (find(number) != nullptr) return kEINVAL;
  if (!folder.empty() && folder != "/") return kENOENT;
  if (!has_room(kFidBytes)) return kENOMEM;
  const ShareAnswer answer = ask_of_name(names_.root(), {.op = ShareOp::Stat});
  if (answer.error != 0) return answer.error;
  add_fid(number, names_.root(), uid == ~u32{0} ? 0 : uid);
  out.qid(qid_of(answer.attributes.mode, names_.root().number));
  return 0;
}

/// Requests are carried out one after the other, so the old one is done.
Server::Error Server::flush(Reader& in, Writer&) {
  in.take16();
  return in.complete() ? 0 : kEPROTO;
}

Server::Error Server::walk(Reader& in, Writer& out) {
  const u32 from = in.take32();
  const u32 to = in.take32();
  const u16 count = in.take16();
  if (count > kMaxWalkNames) return kEINVAL;
  std::vector<std::string> names;
  for (u16 i = 0; i < count; ++i) names.push_back(in.string());
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(from);
  if (fid == nullptr) return kEBADF;
  if (fid->kind == Kind::XattrRead || fid->kind == Kind::XattrWrite) return kEINVAL;
  if (from == to ? fid->kind != Kind::Name : find(to) != nullptr) return kEINVAL;
  if (!has_room(kFidBytes + count * (NameTree::kNodeBytes + kMaxNameBytes))) return kENOMEM;

  Node* at = fid->node;
  std::vector<Qid> qids;
  for (const std::string& name : names) {
    ShareAttributes attributes;
    const Error error = step(*at, name, at, attributes);
    if (error != 0 && qids.empty()) return error;
    if (error != 0) break;
    qids.push_back(qid_of(attributes.mode, at->number));
  }
  if (qids.size() == names.size()) {
    if (from == to)
      point(*fid, *at);
    else
      add_fid(to, *at, fid->uid);
  }
  out.put16(qids.size());
  for (const Qid& qid : qids) out.qid(qid);
  return 0;
}

Server::Error Server::step(Node& from, const std::string& name, Node*& to, ShareAttributes& attributes) {
  if (name == "..") {
    Node& parent = from.parent != nullptr ? *from.parent : from;
    const ShareAnswer answer = ask_of_name(parent, {.op = ShareOp::Stat});
    attributes = answer.attributes;
    if (answer.error == 0) to = &parent;
    return answer.error;
  }
  if (const Error error = check_name(from, name); error != 0) return error;
  const std::string folder = *names_.path_of(from);
  const ShareAnswer answer =
      host_.ask({.op = ShareOp::Stat, .path = folder.empty() ? name : folder + '/' + name});
  if (answer.error != 0) {
    // Somebody else has removed it.
    if (Node* const node = names_.find(from, name); node != nullptr && answer.error == kENOENT)
      names_.remove(*node);
    return answer.error;
  }
  attributes = answer.attributes;
  to = &names_.seen(from, name, {attributes.device, attributes.inode});
  return 0;
}

Server::Error Server::check_name(const Node& folder, const std::string& name) const {
  if (!is_name(name)) return kEINVAL;
  if (name.size() > kMaxNameBytes) return kENAMETOOLONG;
  const std::optional<std::string> path = names_.path_of(folder);
  if (!path) return kESTALE;
  return path->size() + 1 + name.size() > kMaxPathBytes || !names_.has_room_in(folder) ? kENAMETOOLONG : 0;
}

Server::Error Server::clunk(Reader& in, Writer&) {
  const u32 number = in.take32();
  if (!in.complete()) return kEPROTO;
  return find(number) != nullptr ? drop_fid(number) : kEBADF;
}

// --- Fids ---

Server::Fid* Server::find(u32 number) {
  const auto found = fids_.find(number);
  return found == fids_.end() ? nullptr : &found->second;
}

u64 Server::Fid::bytes() const {
  u64 total = kFidBytes + xattr.size() + content.size();
  for (const Listed& entry : entries) total += sizeof entry + entry.name.size();
  return total;
}

u64 Server::bytes() const { return names_.bytes() + fid_bytes_; }

bool Server::has_room(u64 more) {
  if (bytes() + more > kMaxBytes) names_.sweep();
  return bytes() + more <= kMaxBytes;
}

Server::Fid& Server::add_fid(u32 number, Node& node, u32 uid) {
  Fid& fid = fids_[number];
  fid.node = &node;
  fid.uid = uid;
  names_.use(node);
  fid_bytes_ += fid.bytes();
  return fid;
}

void Server::point(Fid& fid, Node& node) {
  names_.use(node);
  names_.stop_using(*fid.node);
  fid.node = &node;
}

Server::Error Server::drop_fid(u32 number) {
  const auto found = fids_.find(number);
  Fid& fid = found->second;
  const Error error = fid.kind == Kind::XattrWrite ? write_xattr(fid) : 0;
  close_host_file(number, fid);
  locks_.release_fid(number);
  fid_bytes_ -= fid.bytes();
  names_.stop_using(*fid.node);
  fids_.erase(found);
  return error;
}

void Server::drop_fids() {
  for (auto& [number, fid] : fids_) {
    close_host_file(number, fid);
    names_.stop_using(*fid.node);
  }
  fids_.clear();
  fid_bytes_ = 0;
  locks_.clear();
}

// --- Asking the host ---

ShareAnswer Server::ask_of_name(Node& node, ShareQuestion question) {
  const std::optional<std::string> path = names_.path_of(node);
  if (!path) return ask_of_removed(node, std::move(question));
  question.path = *path;
  if (node.id) {
    question.expected.device = node.id->first;
    question.expected.inode = node.id->second;
  }
  ShareAnswer answer = host_.ask(question);
  const bool tells = question.op == ShareOp::Stat || question.op == ShareOp::Open;
  if (answer.error == 0 && tells && !names_.is(node, {answer.attributes.device, answer.attributes.inode}))
    answer.error = kESTALE;
  return answer;
}

ShareAnswer Server::ask_of_removed(const Node& node, ShareQuestion question) {
  // Of a folder there is nothing left on the host: it is as it was, and empty.
  if (node.removed && question.op == ShareOp::Stat) return {.attributes = *node.removed};
  if (node.removed && (question.op == ShareOp::List || question.op == ShareOp::Sync)) return {};
  switch (question.op) {
    case ShareOp::Stat:
    case ShareOp::Open:
    case ShareOp::Set:
    case ShareOp::Sync:
    case ShareOp::ListXattrs:
    case ShareOp::GetXattr:
    case ShareOp::SetXattr:
    case ShareOp::RemoveXattr: break;
    default: return {.error = kESTALE};  // they need the name
  }
  const bool writes = question.op == ShareOp::Set && (question.set & share_set::kSize) != 0;
  for (const auto& [number, fid] : fids_) {
    if (fid.node != &node || !fid.open || (writes && !fid.writable())) continue;
    question.by_handle = true;
    (question.op == ShareOp::Open ? question.from_handle : question.handle) = number;
    return host_.ask(question);
  }
  return {.error = kESTALE};
}

ShareAnswer Server::ask_of_file(u32 number, Fid& fid, ShareQuestion question) {
  if (fid.kind != Kind::File) return ask_of_name(*fid.node, std::move(question));
  if (!fid.open && open_host_file(number, fid) != 0) return {.error = kESTALE};
  fid.last_use = ++uses_;
  question.by_handle = true;
  question.handle = number;
  return host_.ask(question);
}

Server::Error Server::open_host_file(u32 number, Fid& fid) {
  limit_handles();
  const ShareAnswer answer =
      ask_of_name(*fid.node, {.op = ShareOp::Open, .handle = number, .flags = fid.flags});
  if (answer.error != 0) return answer.error;
  fid.flags &= kOpenAccess;  // what is emptied is emptied once
  fid.open = true;
  fid.last_use = ++uses_;
  ++open_handles_;
  return 0;
}

void Server::close_host_file(u32 number, Fid& fid) {
  if (!fid.open) return;
  fid.open = false;
  --open_handles_;
  host_.ask({.op = ShareOp::Close, .handle = number});
}

void Server::limit_handles() {
  while (open_handles_ >= kMaxHandles) {
    auto oldest = fids_.end();
    for (auto at = fids_.begin(); at != fids_.end(); ++at)
      if (at->second.open && names_.path_of(*at->second.node) &&
          (oldest == fids_.end() || at->second.last_use < oldest->second.last_use))
        oldest = at;
    if (oldest == fids_.end()) return;
    close_host_file(oldest->first, oldest->second);
  }
}

// --- State ---

void Server::serialize(Archive& archive) {
  archive.tag("p9");
  if (archive.loading()) {
    fids_.clear();
    fid_bytes_ = 0;
    open_handles_ = 0;
    host_.ask({.op = ShareOp::CloseAll});
  }
  archive.at_most(message_bytes_, kMaxMessageBytes);
  names_.serialize(archive);
  locks_.serialize(archive);
  u64 count = fids_.size();
  archive.at_most(count, kMaxBytes / kFidBytes);
  auto at = fids_.begin();
  for (u64 i = 0; i < count && archive.ok(); ++i) {
    u32 number = archive.loading() ? 0 : at->first;
    archive.value(number);
    Fid made;
    Fid& fid = archive.loading() ? made : (at++)->second;
    u64 key = archive.loading() ? 0 : fid.node->key;
    archive.value(key);
    archive.value(fid.uid);
    archive.at_most(fid.kind, Kind::XattrWrite);
    archive.value(fid.flags);
    archive.value(fid.listed);
    u64 entries = fid.entries.size();
    archive.value(entries);
    for (u64 e = 0; e < entries && archive.ok(); ++e) {
      if (archive.loading()) fid.entries.emplace_back();
      serialize_text(archive, fid.entries[e].name, kMaxNameBytes);
      archive.value(fid.entries[e].number);
      archive.value(fid.entries[e].mode);
    }
    serialize_text(archive, fid.xattr, kMaxNameBytes);
    archive.at_most(fid.content_bytes, kMaxXattrBytes);
    archive.value(fid.content, kMaxXattrBytes);
    if (!archive.loading()) continue;
    fid.node = names_.by_key(key);
    if (!archive.ok() || fid.node == nullptr || fids_.contains(number)) {
      archive.fail();
      break;
    }
    names_.use(*fid.node);
    fid_bytes_ += fid.bytes();
    fids_[number] = std::move(fid);
  }
  if (!archive.loading()) return;
  names_.end_load();
  if (message_bytes_ != 0 && message_bytes_ < kMinMessageBytes) archive.fail();
  if (bytes() > kMaxBytes) archive.fail();
  if (!archive.ok()) reset();
}

void Server::serialize_handles(Archive& archive) {
  archive.tag("p9 handles");
  archive.value(uses_);
  archive.value(open_handles_);
  for (auto& [number, fid] : fids_) {
    archive.value(fid.open);
    archive.value(fid.last_use);
  }
  const auto open = std::ranges::count_if(fids_, [](const auto& one) { return one.second.open; });
  if (static_cast<u64>(open) != open_handles_) archive.fail();
}

void Server::lose_handles() {
  for (auto& [number, fid] : fids_) fid.open = false;
  open_handles_ = 0;
  host_.ask({.op = ShareOp::CloseAll});
}

std::string Server::debug_dump() const {
  return fmt::format("msize={} fids={} open={} bytes={}\n", message_bytes_, fids_.size(), open_handles_,
                     bytes());
}

}  // namespace reprise::devices::p9
