#include "machine/share/share_log.h"

#include <fmt/format.h>

#include <iterator>

#include "common/archive.h"
#include "common/hash.h"

namespace reprise::machine {

using devices::ShareOp;

namespace {

/// In the order of ShareOp.
constexpr std::string_view kWords[] = {
    "stat",          "list",      "open",        "create",    "read",      "write",        "sync",   "close",
    "close-all",     "set",       "make-folder", "make-link", "make-node", "link",         "rename", "remove",
    "remove-folder", "read-link", "list-xattrs", "get-xattr", "set-xattr", "remove-xattr", "space"};
static_assert(std::size(kWords) == static_cast<std::size_t>(devices::kLastShareOp) + 1);

/// Shorter content costs less than its digest.
constexpr std::size_t kShortBytes = 64;
constexpr u64 kSecondSeed = 0x9e37'79b9'7f4a'7c15;

void put_time(Archive& archive, devices::ShareTime& time) {
  archive.value(time.s);
  archive.value(time.ns);
}

}  // namespace

std::string describe(const devices::ShareQuestion& question) {
  std::string text(kWords[static_cast<std::size_t>(question.op)]);
  if (question.op == ShareOp::Read || question.op == ShareOp::Write)
    text += fmt::format(" {} at {}", question.bytes, question.offset);
  if (question.op == ShareOp::Open || question.op == ShareOp::Create)
    text += fmt::format(" flags {} as handle {}", question.flags, question.handle);
  if (question.op == ShareOp::Set) text += fmt::format(" {:#x}", question.set);
  if (!question.data.empty()) text += fmt::format(" digest {:016x}", hash64(question.data));
  const u32 of = question.op == ShareOp::Open ? question.from_handle : question.handle;
  text += question.by_handle ? fmt::format(" of handle {}", of) : " of " + question.path;
  if (!question.name.empty()) text += " name " + question.name;
  if (!question.other_path.empty()) text += " other " + question.other_path;
  if (!question.target.empty()) text += " to " + question.target;
  return text;
}

std::vector<u8> ShareLog::entry(const devices::ShareAnswer& given) {
  Archive archive;
  devices::ShareAnswer answer = given;  // an archive takes what could be loaded
  archive.value(answer.error);
  if (answer.error != 0) return {archive.bytes().begin(), archive.bytes().end()};
  archive.value(answer.count);
  devices::ShareAttributes& file = answer.attributes;
  for (u64* field : {&file.device, &file.inode, &file.links, &file.rdev, &file.size}) archive.value(*field);
  for (u32* field : {&file.mode, &file.uid, &file.gid}) archive.value(*field);
  for (devices::ShareTime* time : {&file.atime, &file.mtime, &file.ctime}) put_time(archive, *time);
  devices::ShareSpace& space = answer.space;
  archive.value(space.block_bytes);
  for (u64* field : {&space.blocks, &space.free, &space.available, &space.files, &space.free_files})
    archive.value(*field);
  u64 entries = answer.entries.size();
  archive.value(entries);
  for (devices::ShareEntry& entry : answer.entries) {
    u64 length = entry.name.size();
    archive.value(length);
    archive.raw(entry.name.data(), entry.name.size());
    archive.value(entry.device);
    archive.value(entry.inode);
    archive.value(entry.mode);
  }
  u64 bytes = answer.content.size();
  archive.value(bytes);
  bool there = true;
  if (bytes >= kShortBytes) {
    std::pair<u64, u64> digest = {hash64(answer.content), hash64(answer.content, kSecondSeed)};
    there = known_.insert(digest).second;
    archive.value(digest.first);
    archive.value(digest.second);
  }
  archive.value(there);
  if (there) archive.raw(answer.content.data(), answer.content.size());
  return {archive.bytes().begin(), archive.bytes().end()};
}

}  // namespace reprise::machine
