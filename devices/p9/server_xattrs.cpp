// Server: extended attributes. Those of the guest's programs, user.*, are the host's; under "user.reprise." the host side keeps
// attributes of its own, which the guest does not see.
#include "devices/p9/linux_errno.h"
#include "devices/p9/server.h"

namespace reprise::devices::p9 {

using namespace linux_errno;

namespace {

constexpr u32 kReplace = 2;

u32 check_xattr_name(const std::string& name) {
  if (name.size() > kMaxNameBytes) return kERANGE;
  if (name.find('\0') != name.npos) return kEINVAL;
  if (!name.starts_with("user.") || name.size() == 5 || name.starts_with("user.reprise.")) return kEOPNOTSUPP;
  return 0;
}

}  // namespace

Server::Error Server::xattrwalk(Reader& in, Writer& out) {
  const u32 number = in.take32();
  const u32 new_number = in.take32();
  const std::string name = in.string();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (find(new_number) != nullptr || fid->kind == Kind::XattrRead || fid->kind == Kind::XattrWrite)
    return kEINVAL;
  if (!name.empty())
    if (const Error error = check_xattr_name(name); error != 0) return error;
  if (!has_room(2 * kMaxXattrBytes)) return kENOMEM;
  ShareAnswer answer =
      ask_of_file(number, *fid, {.op = name.empty() ? ShareOp::ListXattrs : ShareOp::GetXattr, .name = name});
  if (answer.error != 0) return answer.error;
  if (answer.content.size() > kMaxXattrBytes) return kE2BIG;
  Fid& made = add_fid(new_number, *fid->node, fid->uid);
  fid_bytes_ -= made.bytes();
  made.kind = Kind::XattrRead;
  made.content = std::move(answer.content);
  fid_bytes_ += made.bytes();
  out.put64(made.content.size());
  return 0;
}

Server::Error Server::xattrcreate(Reader& in, Writer&) {
  const u32 number = in.take32();
  const std::string name = in.string();
  const u64 size = in.take64();
  const u32 flags = in.take32();
  if (!in.complete()) return kEPROTO;
  Fid* const fid = find(number);
  if (fid == nullptr) return kEBADF;
  if (fid->kind != Kind::Name || flags > kReplace) return kEINVAL;
  if (const Error error = check_xattr_name(name); error != 0) return error;
  if (size > kMaxXattrBytes) return kE2BIG;
  if (!has_room(name.size())) return kENOMEM;
  fid_bytes_ -= fid->bytes();
  fid->kind = Kind::XattrWrite;
  fid->flags = flags;
  fid->xattr = name;
  fid->content_bytes = static_cast<u32>(size);
  fid_bytes_ += fid->bytes();
  return 0;
}

/// The fid of a Txattrcreate ends: only now it is carried out. Linux removes one by replacing it with nothing.
Server::Error Server::write_xattr(Fid& fid) {
  if (fid.content.size() != fid.content_bytes) return kEINVAL;
  const bool removes = fid.content.empty() && fid.flags == kReplace;
  return ask_of_name(*fid.node, {.op = removes ? ShareOp::RemoveXattr : ShareOp::SetXattr,
                                 .name = fid.xattr,
                                 .flags = removes ? 0 : fid.flags,
                                 .data = fid.content})
      .error;
}

}  // namespace reprise::devices::p9
