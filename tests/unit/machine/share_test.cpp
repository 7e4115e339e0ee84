// A folder of the host's as a share: nothing leads out of it, and what the guest sees of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

#include "devices/p9/linux_errno.h"
#include "machine/share/host_share.h"
#include "machine/share/share_log.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::ShareAnswer;
using devices::ShareOp;
using devices::ShareQuestion;
using namespace devices::linux_errno;
namespace share_set = devices::share_set;

class ShareTest : public StorageTest {
 protected:
  ShareTest() {
    std::filesystem::create_directories(path("share/folder"));
    std::filesystem::create_directories(path("secret"));
    file("share/file", {'a', 'b', 'c'});
    file("share/folder/inner", {'x'});
    file("secret/key", {'k'});
    std::filesystem::create_symlink("../secret", path("share/out"));
    std::filesystem::create_symlink(path("secret/key"), path("share/key"));
  }
  HostFolder folder() const { return HostFolder::open(path("share")).take(); }
  std::string path_of_share() const { return path("share"); }
  HostShare share(const ShareConfig& config = {}) const { return HostShare(folder(), config); }
  static ShareAnswer make(HostShare& in, ShareOp op, const std::string& name, u32 mode, u32 uid = 0,
                          u32 handle = 1) {
    ShareQuestion question = {.op = op, .name = name, .handle = handle, .flags = 2};
    question.attributes.mode = mode;
    question.attributes.uid = uid;
    return in.ask(question);
  }
  /// Not every file system has attributes for users.
  bool keeps_attributes() const { return setxattr(path("share/file").c_str(), "user.test", "1", 1, 0) == 0; }
  struct stat on_host(const std::string& name) const {
    struct stat out {};
    EXPECT_EQ(lstat(path("share/" + name).c_str(), &out), 0) << name;
    return out;
  }
};

TEST_F(ShareTest, NoPathLeadsOut) {
  const HostFolder shared = folder();
  const auto fails = [&](const std::string& name, int flags) {
    const OpenedFd one = shared.open(name, flags), other = shared.open_by_hand(name, flags);
    EXPECT_FALSE(one.fd) << name;
    EXPECT_FALSE(other.fd) << name << ", by hand";
  };
  for (const std::string name :
       {"out/key", "../secret/key", "..", "folder/../../secret", "/etc/passwd", "out/", "file/x", "none"})
    fails(name, O_PATH);
  fails("key", O_RDONLY);
  fails("out", O_RDONLY | O_DIRECTORY);
  for (const std::string name : {"", "file", "folder/inner", "key", "out"}) {
    EXPECT_TRUE(shared.open(name, O_PATH).fd) << name;
    EXPECT_TRUE(shared.open_by_hand(name, O_PATH).fd) << name;
  }
  HostShare host = share();
  for (const std::string name : {"../x", "a/b", "..", ".", ""}) {
    EXPECT_EQ(make(host, ShareOp::Create, name, 0644).error, kEINVAL) << name;
    EXPECT_EQ(make(host, ShareOp::MakeFolder, name, 0755).error, kEINVAL) << name;
    EXPECT_EQ(host.ask({.op = ShareOp::Remove, .name = name}).error, kEINVAL) << name;
    EXPECT_EQ(host.ask({.op = ShareOp::Rename, .name = "file", .target = name}).error, kEINVAL) << name;
  }
  EXPECT_NE(host.ask({.op = ShareOp::Rename, .name = "file", .other_path = "out", .target = "key"}).error,
            0u);
  EXPECT_NE(host.ask({.op = ShareOp::Remove, .path = "out", .name = "key"}).error, 0u);
  EXPECT_NE(host.ask({.op = ShareOp::Link, .name = "linked", .other_path = "out/key"}).error, 0u);
  EXPECT_NE(host.ask({.op = ShareOp::Open, .path = "key", .handle = 1}).error, 0u);
  EXPECT_TRUE(std::filesystem::exists(path("secret/key")));
}

TEST_F(ShareTest, FilesMayLieDeeperThanAPathIsLong) {
  const std::string name(250, 'd');
  std::string path = name;
  HostFd at(open(path_of_share().c_str(), O_PATH | O_DIRECTORY));
  for (unsigned depth = 0; depth < 30; ++depth) {
    if (depth != 0) path += '/' + name;
    ASSERT_EQ(mkdirat(at.get(), name.c_str(), 0755), 0);
    at = HostFd(openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY));
  }
  ASSERT_EQ(symlinkat("/etc/passwd", at.get(), "link"), 0);
  const HostFolder shared = folder();
  EXPECT_TRUE(shared.open(path, O_RDONLY | O_DIRECTORY).fd);
  EXPECT_EQ(shared.open(path + "/link", O_RDONLY).error, ELOOP);
  EXPECT_EQ(shared.open(path + "/..", O_PATH).error, EINVAL);
  HostShare host = share();
  EXPECT_EQ(host.ask({.op = ShareOp::List, .path = path}).entries.size(), 1u);
  ShareQuestion question = {.op = ShareOp::Create, .path = path, .name = "new", .handle = 1, .flags = 2};
  question.attributes.mode = 0644;
  EXPECT_EQ(host.ask(question).error, 0u);
  EXPECT_EQ(faccessat(at.get(), "new", F_OK, 0), 0);
}

TEST_F(ShareTest, OnlyFilesAreOpened) {
  ASSERT_EQ(mkfifo(path("share/pipe").c_str(), 0600), 0);
  HostShare host = share();
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "pipe", .handle = 1}).error, 6u);
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "folder", .handle = 1}).error, kEISDIR);
  EXPECT_EQ(host.ask({.op = ShareOp::Read, .handle = 1, .bytes = 10}).error, kEBADF);
  ASSERT_EQ(host.ask({.op = ShareOp::Open, .path = "file", .handle = 1}).error, 0u);
  EXPECT_EQ(host.ask({.op = ShareOp::Read, .handle = 1, .offset = 1, .bytes = 10}).content,
            (std::vector<u8>{'b', 'c'}));
  EXPECT_EQ(host.ask({.op = ShareOp::Read, .handle = 1, .offset = ~u64{0}, .bytes = 10}).error, kEINVAL);
  ShareQuestion other = {.op = ShareOp::Open, .path = "file", .handle = 2};
  other.expected.inode = on_host("folder").st_ino;
  other.expected.device = on_host("folder").st_dev;
  EXPECT_EQ(host.ask(other).error, kESTALE);
  u32 handle = 2;
  while (host.ask({.op = ShareOp::Open, .path = "file", .handle = handle}).error == 0) ++handle;
  EXPECT_EQ(handle, HostShare::kMaxHandles + 1);
}

TEST_F(ShareTest, OpensOnceMoreWhatWasRemoved) {
  HostShare host = share();
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "file", .handle = 1}).error, 0u);
  EXPECT_EQ(host.ask({.op = ShareOp::Remove, .name = "file"}).error, 0u);
  const ShareQuestion again = {
      .op = ShareOp::Open, .handle = 2, .by_handle = true, .from_handle = 1, .flags = 2};
  EXPECT_EQ(host.ask(again).attributes.size, 3u);
  const std::vector<u8> more = {'d'};
  EXPECT_EQ(host.ask({.op = ShareOp::Write, .handle = 2, .offset = 3, .data = more}).count, 1u);
  EXPECT_EQ(host.ask({.op = ShareOp::Read, .handle = 1, .bytes = 9}).content,
            std::vector<u8>({'a', 'b', 'c', 'd'}));
  ShareQuestion emptied = again;
  emptied.handle = 3;
  emptied.flags = 01000;
  EXPECT_EQ(host.ask(emptied).error, 0u);
  EXPECT_EQ(host.ask({.op = ShareOp::Read, .handle = 1, .bytes = 9}).content.size(), 0u);
  emptied.from_handle = 9;
  EXPECT_EQ(host.ask(emptied).error, kEBADF);
}

TEST_F(ShareTest, ListsByName) {
  for (const char* name : {"b", "B", "a", "\xff", "a b"}) file(std::string("share/folder/") + name, {});
  HostShare host = share();
  std::vector<std::string> names;
  for (const devices::ShareEntry& entry : host.ask({.op = ShareOp::List, .path = "folder"}).entries)
    names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"B", "a", "a b", "b", "inner", "\xff"}));
  EXPECT_EQ(host.ask({.op = ShareOp::List, .path = "file"}).error, kENOTDIR);
}

TEST_F(ShareTest, ReadOnlyIsUntouched) {
  HostShare host = share({.read_only = true});
  EXPECT_EQ(make(host, ShareOp::Create, "new", 0644).error, kEROFS);
  EXPECT_EQ(make(host, ShareOp::MakeFolder, "new", 0755).error, kEROFS);
  EXPECT_EQ(make(host, ShareOp::MakeNode, "new", 0644).error, kEROFS);
  for (const ShareOp op : {ShareOp::Set, ShareOp::Write, ShareOp::MakeLink, ShareOp::Link, ShareOp::Rename,
                           ShareOp::Remove, ShareOp::RemoveFolder, ShareOp::SetXattr, ShareOp::RemoveXattr})
    EXPECT_EQ(host.ask({.op = op, .path = "file", .name = "file"}).error, kEROFS);
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "file", .handle = 1, .flags = 1}).error, kEROFS);
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "file", .handle = 1, .flags = 01000}).error, kEROFS);
  EXPECT_EQ(host.ask({.op = ShareOp::Open, .path = "file", .handle = 1}).error, 0u);
}

TEST_F(ShareTest, OwnersAndDevicesAreKeptBeside) {
  if (!keeps_attributes()) GTEST_SKIP() << "the file system of temporary files keeps no attributes";
  HostShare host = share();
  EXPECT_EQ(host.ask({.path = "file"}).attributes.uid, 0u);
  const ShareAnswer made = make(host, ShareOp::Create, "owned", 0100000 | 04711, 1000);
  EXPECT_EQ(made.attributes.uid, 1000u);
  EXPECT_EQ(made.attributes.mode, 0104711u);
  EXPECT_EQ(on_host("owned").st_mode & 07777, 0711u) << "never set-user-ID";
  EXPECT_EQ(on_host("owned").st_uid, geteuid());
  const ShareAnswer device = make(host, ShareOp::MakeNode, "null", 0020000 | 0666);
  EXPECT_EQ(device.attributes.mode, 0020666u);
  EXPECT_TRUE(S_ISREG(on_host("null").st_mode));
  const std::vector<devices::ShareEntry> entries = host.ask({.op = ShareOp::List}).entries;
  const auto listed = std::ranges::find(entries, "null", &devices::ShareEntry::name);
  EXPECT_EQ(listed->mode, 0020000u);
  ShareQuestion closing = {.op = ShareOp::Set, .path = "file", .set = share_set::kMode};
  EXPECT_EQ(host.ask(closing).error, 0u);
  EXPECT_EQ(host.ask({.path = "file"}).attributes.mode & 07777, 0u);
  EXPECT_EQ(on_host("file").st_mode & 07777, 0600u) << "the emulator can still use it";
  EXPECT_EQ(host.ask({.op = ShareOp::ListXattrs, .path = "owned"}).content.size(), 0u)
      << "none of the guest's";
  HostShare real = share({.owner = ShareOwner::Real});
  EXPECT_EQ(real.ask({.path = "owned"}).attributes.uid, geteuid());
}

TEST_F(ShareTest, TimesNamesAndSizes) {
  HostShare host = share();
  ShareQuestion question = {.op = ShareOp::Set, .path = "file"};
  question.set = share_set::kSize | share_set::kMtime | share_set::kMtimeSet;
  question.attributes.size = 2;
  question.attributes.mtime = {1000, 5};
  EXPECT_EQ(host.ask(question).error, 0u);
  const devices::ShareAttributes file = host.ask({.path = "file"}).attributes;
  EXPECT_EQ(file.size, 2u);
  EXPECT_EQ(file.mtime.s, 1000);
  HostShare fixed = share({.fixed_times = true});
  EXPECT_EQ(fixed.ask({.path = "file"}).attributes.mtime.s, 1'735'689'600);

  EXPECT_EQ(host.ask({.op = ShareOp::Link, .name = "again", .other_path = "folder/inner"}).error, 0u);
  EXPECT_EQ(host.ask({.path = "again"}).attributes.links, 2u);
  EXPECT_EQ(
      host.ask({.op = ShareOp::Rename, .name = "again", .other_path = "folder", .target = "inner"}).count, 0u)
      << "both are one file, and nothing happens";
  EXPECT_EQ(host.ask({.op = ShareOp::Rename, .name = "again", .other_path = "folder", .target = "x"}).count,
            1u);
  EXPECT_EQ(host.ask({.op = ShareOp::MakeLink, .name = "made", .target = "/etc/passwd"}).error, 0u);
  const ShareAnswer link = host.ask({.op = ShareOp::ReadLink, .path = "made"});
  EXPECT_EQ(std::string(link.content.begin(), link.content.end()), "/etc/passwd");
  EXPECT_EQ(host.ask({.op = ShareOp::ReadLink, .path = "file"}).error, kEINVAL);
  EXPECT_EQ(host.ask({.op = ShareOp::RemoveFolder, .name = "folder"}).error, 39u);
  EXPECT_EQ(host.ask({.op = ShareOp::Remove, .name = "made"}).error, 0u);
  EXPECT_EQ(host.ask({.path = "made"}).error, kENOENT);
  EXPECT_FALSE(HostFolder::open(path("share/file")).ok());
}

TEST_F(ShareTest, TheLogHasContentOnce) {
  ShareLog log;
  ShareAnswer answer;
  answer.content = pattern(5000);
  const std::size_t first = log.entry(answer).size();
  EXPECT_GT(first, 5000u);
  EXPECT_LT(log.entry(answer).size(), 250u);
  answer.content[0] ^= 1;
  EXPECT_EQ(log.entry(answer).size(), first);
  EXPECT_EQ(log.entry({.error = 2}).size(), 4u);
  EXPECT_EQ(describe({.op = ShareOp::Read, .handle = 3, .by_handle = true, .offset = 5, .bytes = 10}),
            "read 10 at 5 of handle 3");
}

TEST_F(ShareTest, TheLogGivesAnswersBack) {
  ShareAnswer long_one{.count = 7, .content = pattern(5000)};
  long_one.attributes.inode = 9;
  long_one.attributes.mtime = {-5, 123};
  long_one.space.blocks = 11;
  ShareAnswer list;
  list.entries = {{"name", 1, 2, 0040000}, {std::string("b\xff"), 3, 4, 0100000}};
  list.content = pattern(10);
  const ShareAnswer answers[] = {long_one, list, {.error = 2}, long_one};
  ShareLog log;
  RecordedShareLog recorded;
  ShareLog again;
  std::vector<std::vector<u8>> entries;
  for (const ShareAnswer& answer : answers) entries.push_back(log.entry(answer));
  for (std::size_t i = 0; i < std::size(answers); ++i) {
    const auto answer = recorded.answer(entries[i]);
    ASSERT_TRUE(answer.has_value()) << i;
    EXPECT_EQ(answer->content, answers[i].content);
    EXPECT_EQ(answer->entries.size(), answers[i].entries.size());
    EXPECT_EQ(again.entry(*answer), entries[i]) << i;
  }
  EXPECT_FALSE(RecordedShareLog().answer(entries[3]).has_value()) << "content that was never there";
  for (const std::vector<u8>& entry : entries)
    for (std::size_t length = 0; length < entry.size(); length += 1 + length / 20)
      EXPECT_FALSE(RecordedShareLog().answer(std::span(entry).first(length)).has_value()) << length;
}

}  // namespace
}  // namespace reprise::machine
