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

/// More than a guest can ask for at once.
constexpr u64 kMaxContentBytes = 16 << 20;
constexpr u64 kMaxEntries = 1 << 22;
constexpr u64 kMaxNameBytes = 1 << 12;

using Digest = std::pair<u64, u64>;
Digest digest_of(std::span<const u8> content) { return {hash64(content), hash64(content, kSecondSeed)}; }

void serialize_time(Archive& archive, devices::ShareTime& time) {
  archive.value(time.s);
  archive.value(time.ns);
}

void serialize_name(Archive& archive, std::string& name) {
  u64 length = name.size();
  archive.at_most(length, kMaxNameBytes);
  if (archive.loading()) name.resize(length);
  archive.raw(name.data(), name.size());
}

/// All but the content.
void serialize_head(Archive& archive, devices::ShareAnswer& answer) {
  archive.value(answer.count);
  devices::ShareAttributes& file = answer.attributes;
  for (u64* field : {&file.device, &file.inode, &file.links, &file.rdev, &file.size}) archive.value(*field);
  for (u32* field : {&file.mode, &file.uid, &file.gid}) archive.value(*field);
  for (devices::ShareTime* time : {&file.atime, &file.mtime, &file.ctime}) serialize_time(archive, *time);
  devices::ShareSpace& space = answer.space;
  archive.value(space.block_bytes);
  for (u64* field : {&space.blocks, &space.free, &space.available, &space.files, &space.free_files})
    archive.value(*field);
  u64 entries = answer.entries.size();
  archive.at_most(entries, kMaxEntries);
  for (u64 i = 0; i < entries && archive.ok(); ++i) {
    if (archive.loading()) answer.entries.emplace_back();
    devices::ShareEntry& entry = answer.entries[i];
    serialize_name(archive, entry.name);
    archive.value(entry.device);
    archive.value(entry.inode);
    archive.value(entry.mode);
  }
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
  serialize_head(archive, answer);
  u64 bytes = answer.content.size();
  archive.value(bytes);
  bool there = true;
  if (bytes >= kShortBytes) {
    Digest digest = digest_of(answer.content);
    there = known_.insert(digest).second;
    archive.value(digest.first);
    archive.value(digest.second);
  }
  archive.value(there);
  if (there) archive.raw(answer.content.data(), answer.content.size());
  return {archive.bytes().begin(), archive.bytes().end()};
}

std::optional<devices::ShareAnswer> RecordedShareLog::answer(std::span<const u8> entry) {
  Archive archive(entry);
  devices::ShareAnswer answer;
  archive.value(answer.error);
  if (answer.error != 0) return archive.ok() && archive.at_end() ? std::optional(answer) : std::nullopt;
  serialize_head(archive, answer);
  u64 bytes = 0;
  archive.at_most(bytes, kMaxContentBytes);
  Digest digest;
  if (bytes >= kShortBytes) {
    archive.value(digest.first);
    archive.value(digest.second);
  }
  bool there = false;
  archive.value(there);
  if (!archive.ok()) return std::nullopt;
  if (there) {
    answer.content.resize(bytes);
    archive.raw(answer.content.data(), answer.content.size());
    if (bytes >= kShortBytes) known_[digest] = answer.content;
  } else if (const auto found = known_.find(digest); found != known_.end()) {
    answer.content = found->second;
  } else {
    return std::nullopt;
  }
  if (!archive.ok() || !archive.at_end() || answer.content.size() != bytes) return std::nullopt;
  return answer;
}

}  // namespace reprise::machine
