// The server of 9P2000.L: what clients ask, what hostile ones send, and its state.
#include "devices/p9/server.h"

#include "tests/devices/fake_share.h"
#include "tests/devices/test_board.h"

namespace reprise::devices::p9 {
namespace {

using namespace reprise::devices::testing;
using namespace linux_errno;

constexpr u32 kRoom = Server::kMaxMessageBytes;

class P9ServerTest : public ::testing::Test {
 protected:
  P9ServerTest() { start(); }
  void start() {
    server.reset();
    EXPECT_EQ(error(P9Request(Type::Version, 0xffff).put32(65536).text("9P2000.L")), 0u);
    EXPECT_EQ(error(P9Request(Type::Attach).put32(0).put32(~0u).text("root").text("").put32(0)), 0u);
  }
  std::vector<u8> reply(const P9Request& request) { return server.reply_to(request.bytes(), kRoom); }
  static Reader body_of(const std::vector<u8>& message) {
    return Reader(std::span<const u8>(message).subspan(kHeaderBytes));
  }
  static u32 error_of(const std::vector<u8>& message) {
    const Header header = read_header(message);
    EXPECT_EQ(header.size, message.size());
    return header.type == 7 ? static_cast<u32>(body_of(message).take32()) : 0;
  }
  u32 error(const P9Request& request) { return error_of(reply(request)); }
  static P9Request walk_request(u32 from, u32 to, const std::vector<std::string>& names) {
    P9Request request(Type::Walk);
    request.put32(from).put32(to).put16(names.size());
    for (const std::string& name : names) request.text(name);
    return request;
  }
  u32 walk(u32 from, u32 to, const std::vector<std::string>& names) {
    return error(walk_request(from, to, names));
  }
  u32 open(u32 fid, u32 flags) { return error(P9Request(Type::Lopen).put32(fid).put32(flags)); }
  u32 create(u32 fid, const std::string& name, u32 flags = 2) {
    return error(P9Request(Type::Lcreate).put32(fid).text(name).put32(flags).put32(0644).put32(0));
  }
  u32 clunk(u32 fid) { return error(P9Request(Type::Clunk).put32(fid)); }
  u32 unlink(u32 folder, const std::string& name, u32 flags = 0) {
    return error(P9Request(Type::Unlinkat).put32(folder).text(name).put32(flags));
  }
  u32 rename(u32 from, const std::string& name, u32 to, const std::string& new_name) {
    return error(P9Request(Type::Renameat).put32(from).text(name).put32(to).text(new_name));
  }
  std::string read(u32 fid, u64 offset, u32 count) {
    const std::vector<u8> message = reply(P9Request(Type::Read).put32(fid).put64(offset).put32(count));
    if (const u32 code = error_of(message); code != 0) return "error " + std::to_string(code);
    Reader in = body_of(message);
    const std::span<const u8> data = in.bytes(in.take32());
    EXPECT_TRUE(in.complete());
    return {data.begin(), data.end()};
  }
  u32 write(u32 fid, u64 offset, std::string_view text) {
    P9Request request(Type::Write);
    request.put32(fid).put64(offset).put32(text.size());
    for (const char c : text) request.put8(static_cast<u8>(c));
    return error(request);
  }
  /// The file's number; 0: an error.
  u64 number(u32 fid) {
    const std::vector<u8> message = reply(P9Request(Type::Getattr).put32(fid).put64(~u64{0}));
    if (error_of(message) != 0) return 0;
    Reader in = body_of(message);
    in.take64();
    in.bytes(5);
    return in.take64();
  }
  std::vector<std::string> list(u32 fid, u32 count) {
    std::vector<std::string> names;
    u64 offset = 0;
    for (;;) {
      const std::vector<u8> message = reply(P9Request(Type::Readdir).put32(fid).put64(offset).put32(count));
      EXPECT_EQ(error_of(message), 0u);
      Reader in = body_of(message);
      const u32 bytes = in.take32();
      EXPECT_LE(bytes, count);
      if (bytes == 0 || error_of(message) != 0) return names;
      while (in.left() != 0) {
        in.bytes(Qid::kBytes);
        offset = in.take64();
        in.take8();
        names.push_back(in.string());
      }
      EXPECT_TRUE(in.complete());
    }
  }

  FakeShare share{true};
  Server server{share};
};

TEST_F(P9ServerTest, ReadsAndWrites) {
  EXPECT_EQ(walk(0, 1, {"folder", "inner", "deep"}), 0u);
  EXPECT_EQ(open(1, 2), 0u);
  EXPECT_EQ(read(1, 0, 100), "deep");
  EXPECT_EQ(write(1, 4, "er"), 0u);
  EXPECT_EQ(read(1, 2, 3), "epe");
  EXPECT_EQ(read(1, 100, 3), "");
  EXPECT_EQ(walk(0, 2, {}), 0u);
  EXPECT_EQ(create(2, "made"), 0u);
  EXPECT_EQ(write(2, 0, "content"), 0u);
  EXPECT_EQ(share.files.at("made")->content.size(), 7u);
  EXPECT_EQ(clunk(2), 0u);
  EXPECT_EQ(clunk(2), kEBADF);
  EXPECT_EQ(share.handles.size(), 1u);
  EXPECT_EQ(walk(0, 3, {"link"}), 0u);
  EXPECT_EQ(open(3, 0), 40u) << "the guest follows links, nobody else";
  EXPECT_EQ(walk(0, 4, {"pipe"}), 0u);
  EXPECT_EQ(open(4, 0), 6u) << "a FIFO of the host's is not opened";
}

TEST_F(P9ServerTest, ListsAFolderInPieces) {
  EXPECT_EQ(walk(0, 1, {}), 0u);
  EXPECT_EQ(open(1, 0), 0u);
  const std::vector<std::string> wanted = {".", "..", "file", "folder", "link", "pipe"};
  EXPECT_EQ(list(1, 4096), wanted);
  EXPECT_EQ(list(1, 40), wanted);
  EXPECT_EQ(error(P9Request(Type::Readdir).put32(1).put64(0).put32(10)), kEINVAL)
      << "no room for one is no end";
  EXPECT_EQ(error(P9Request(Type::Readdir).put32(1).put64(~u64{0}).put32(100)), 0u);
}

TEST_F(P9ServerTest, FilesMayLieDeeperThanAPathIsLong) {
  const std::string name(250, 'd');
  std::string path = name;
  for (unsigned depth = 1; depth < 260; ++depth, path += '/' + name)
    share.put(path, share_mode::kFolder | 0755);
  ASSERT_EQ(walk(0, 1, {name}), 0u);
  unsigned depth = 1;
  while (walk(1, 1, {name}) == 0) ++depth;
  EXPECT_EQ(walk(1, 1, {name}), kENOENT);
  EXPECT_EQ(depth, 259u);
  for (; depth < 261; ++depth) {
    share.put(path, share_mode::kFolder | 0755);
    path += '/' + name;
    EXPECT_EQ(walk(1, 1, {name}), 0u);
  }
  EXPECT_EQ(walk(1, 1, {name}), kENAMETOOLONG) << "65535 bytes";
  share.put("a", share_mode::kFolder | 0755);
  ASSERT_EQ(walk(0, 2, {"a"}), 0u);
  std::string shorter = "a";
  for (depth = 1; depth < NameTree::kMaxDepth; ++depth) {
    shorter += "/a";
    share.put(shorter, share_mode::kFolder | 0755);
    ASSERT_EQ(walk(2, 2, {"a"}), 0u) << depth;
  }
  EXPECT_EQ(walk(2, 2, {"a"}), kENAMETOOLONG) << "2048 names";
  EXPECT_EQ(open(2, 0), 0u);
  EXPECT_EQ(error(P9Request(Type::Readdir).put32(2).put64(0).put32(4096)), kENAMETOOLONG);
}

TEST_F(P9ServerTest, NamesThatLeadNowhereElse) {
  for (const std::string& name : {std::string("a/b"), std::string("/"), std::string("."), std::string(""),
                                  std::string("folder\0x", 8), std::string("../x")}) {
    EXPECT_EQ(walk(0, 1, {name}), kEINVAL) << name;
    EXPECT_EQ(unlink(0, name), kEINVAL) << name;
    EXPECT_EQ(rename(0, "file", 0, name), kEINVAL) << name;
    EXPECT_EQ(error(P9Request(Type::Mkdir).put32(0).text(name).put32(0755).put32(0)), kEINVAL) << name;
  }
  EXPECT_EQ(unlink(0, ".."), kEINVAL);
  EXPECT_EQ(walk(0, 1, {std::string(256, 'x')}), kENAMETOOLONG);
  EXPECT_EQ(walk(0, 1, {std::string(60'000, 'x')}), kENAMETOOLONG);
  EXPECT_EQ(walk(0, 1, std::vector<std::string>(17, "folder")), kEINVAL);
  EXPECT_EQ(walk(0, 1, std::vector<std::string>(16, "..")), 0u);
  EXPECT_EQ(number(1), number(0)) << "the root is its own parent";
  EXPECT_EQ(walk(0, 2, {"folder", "..", "file"}), 0u);
  EXPECT_EQ(walk(0, 3, {"link", "passwd"}), 0u) << "the link itself is there";
  EXPECT_EQ(clunk(3), kEBADF) << "and nothing behind it";
}

TEST_F(P9ServerTest, Numbers) {
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(walk(0, 2, {"folder"}), 0u);
  const u64 file = number(1);
  EXPECT_EQ(number(0), 1u);
  EXPECT_EQ(file, 2u);
  EXPECT_EQ(number(2), 3u);
  EXPECT_EQ(rename(0, "file", 2, "other name"), 0u);
  EXPECT_EQ(number(1), file) << "the fid goes with its file";
  EXPECT_EQ(walk(0, 3, {"folder", "other name"}), 0u);
  EXPECT_EQ(number(3), file);
  EXPECT_EQ(rename(0, "folder", 0, "moved"), 0u);
  EXPECT_EQ(number(3), file) << "and with its folder";
  EXPECT_EQ(rename(0, "moved", 2, "into itself"), kEINVAL);
  EXPECT_EQ(walk(0, 4, {}), 0u);
  EXPECT_EQ(create(4, "new"), 0u);
  EXPECT_EQ(number(4), 4u);
  // Somebody on the host replaces a file.
  share.put("moved/other name", share_mode::kRegular | 0644, "another");
  EXPECT_EQ(error(P9Request(Type::Getattr).put32(3).put64(0)), kESTALE);
  EXPECT_EQ(walk(0, 5, {"moved", "other name"}), 0u);
  EXPECT_EQ(number(5), 5u);
}

TEST_F(P9ServerTest, RemovedWhileOpen) {
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(walk(0, 2, {"file"}), 0u);
  EXPECT_EQ(open(1, 2), 0u);
  const u64 file = number(1);
  EXPECT_EQ(unlink(0, "file"), 0u);
  EXPECT_EQ(number(1), file);
  EXPECT_EQ(read(1, 0, 5), "hello");
  EXPECT_EQ(number(2), file) << "somebody has it open";
  EXPECT_EQ(walk(1, 4, {}), 0u);
  EXPECT_EQ(open(4, 2), 0u) << "so it can be opened once more";
  EXPECT_EQ(read(4, 1, 3), "ell");
  EXPECT_EQ(clunk(4), 0u);
  EXPECT_EQ(walk(0, 3, {}), 0u);
  EXPECT_EQ(create(3, "file"), 0u);
  EXPECT_NE(number(3), file) << "a new file, whatever it is called";
  EXPECT_EQ(read(1, 0, 5), "hello");
  EXPECT_EQ(clunk(1), 0u);
  EXPECT_EQ(number(2), 0u) << "nobody has";
  EXPECT_EQ(clunk(2), 0u);
}

TEST(P9NameTreeTest, AFileTakesThePlaceOfTheFolderItWasIn) {
  NameTree tree([](const std::string&) -> std::optional<FileId> { return std::nullopt; });
  Node& folder = tree.seen(tree.root(), "folder", {1, 1});
  Node& inner = tree.seen(folder, "inner", {1, 2});
  Node& file = tree.seen(inner, "file", {1, 3});
  tree.use(inner);
  tree.move(file, tree.root(), "folder");
  EXPECT_EQ(tree.path_of(file), "folder");
  EXPECT_EQ(tree.path_of(inner), std::nullopt);
  tree.stop_using(inner);
  EXPECT_EQ(tree.bytes(), 2 * NameTree::kNodeBytes + 6);
}

TEST_F(P9ServerTest, RemovedFolders) {
  const auto mode = [&](Server& of, u32 fid) -> u32 {
    const std::vector<u8> answer = of.reply_to(P9Request(Type::Getattr).put32(fid).put64(0).bytes(), kRoom);
    return error_of(answer) != 0 ? 0 : read_unaligned<u32>(answer.data() + kHeaderBytes + 8 + Qid::kBytes);
  };
  for (const std::string name : {"one", "two", "three"})
    EXPECT_EQ(error(P9Request(Type::Mkdir).put32(0).text(name).put32(0750).put32(0)), 0u);
  EXPECT_EQ(walk(0, 1, {"one"}), 0u);
  EXPECT_EQ(walk(0, 2, {"one"}), 0u);
  EXPECT_EQ(open(1, 0), 0u);
  EXPECT_EQ(unlink(0, "one", 0x200), 0u);
  EXPECT_EQ(mode(server, 2), share_mode::kFolder | 0750) << "as it was";
  EXPECT_GT(reply(P9Request(Type::Readdir).put32(1).put64(0).put32(1000)).size(), kHeaderBytes + 4)
      << "with '.' and '..'";
  EXPECT_EQ(error(P9Request(Type::Mkdir).put32(2).text("inside").put32(0750).put32(0)), kESTALE);
  const std::vector<u8> state = saved(server);
  Server other(share);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_EQ(mode(other, 2), share_mode::kFolder | 0750);
  EXPECT_EQ(other.reply_to(P9Request(Type::Getattr).put32(2).put64(0).bytes(), kRoom),
            reply(P9Request(Type::Getattr).put32(2).put64(0)));
}

TEST_F(P9ServerTest, ManyOpenFiles) {
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(open(1, 0), 0u);
  EXPECT_EQ(walk(0, 2, {"folder", "inner", "deep"}), 0u);
  EXPECT_EQ(open(2, 0), 0u);
  EXPECT_EQ(unlink(0, "file"), 0u);
  for (u32 fid = 10; fid < 10 + 2 * Server::kMaxHandles; ++fid) {
    ASSERT_EQ(walk(0, fid, {"folder", "inner", "deep"}), 0u);
    ASSERT_EQ(open(fid, 0), 0u);
    ASSERT_LE(share.handles.size(), Server::kMaxHandles);
  }
  EXPECT_TRUE(share.handles.contains(1)) << "this one could not be opened again";
  EXPECT_FALSE(share.handles.contains(2));
  EXPECT_EQ(read(2, 0, 9), "deep");
  EXPECT_EQ(read(1, 0, 9), "hello");
}

TEST_F(P9ServerTest, Xattrs) {
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(walk(0, 2, {"file"}), 0u);
  const auto put = [](u32 fid, std::string_view name, u64 size, u32 flags) {
    return P9Request(Type::Xattrcreate).put32(fid).text(name).put64(size).put32(flags);
  };
  EXPECT_EQ(error(put(2, "security.capability", 3, 0)), kEOPNOTSUPP);
  EXPECT_EQ(error(put(2, "user.reprise.attributes", 3, 0)), kEOPNOTSUPP);
  EXPECT_EQ(error(put(2, "user.x", 65537, 0)), kE2BIG);
  EXPECT_EQ(error(put(2, "user.x", 5, 0)), 0u);
  EXPECT_EQ(write(2, 0, "val"), 0u);
  EXPECT_EQ(write(2, 0, "val"), kENOSPC);
  EXPECT_EQ(write(2, 3, "uesss"), kENOSPC);
  EXPECT_EQ(write(2, 3, "ue"), 0u);
  EXPECT_EQ(clunk(2), 0u);
  EXPECT_EQ(error(P9Request(Type::Xattrwalk).put32(1).put32(3).text("user.x")), 0u);
  EXPECT_EQ(read(3, 1, 100), "alue");
  EXPECT_EQ(error(P9Request(Type::Xattrwalk).put32(1).put32(4).text("")), 0u);
  EXPECT_EQ(read(4, 0, 100), std::string("user.x\0", 7));
  EXPECT_EQ(error(P9Request(Type::Xattrwalk).put32(1).put32(4).text("")), kEINVAL) << "the fid is taken";
  EXPECT_EQ(walk(0, 2, {"file"}), 0u);
  EXPECT_EQ(error(put(2, "user.x", 9, 0)), 0u);
  EXPECT_EQ(clunk(2), kEINVAL) << "less came than was promised";
}

TEST_F(P9ServerTest, Locks) {
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(open(1, 2), 0u);
  const auto lock = [&](u8 type, u64 first, u64 bytes, u32 process) {
    const std::vector<u8> message = reply(P9Request(Type::Lock)
                                              .put32(1)
                                              .put8(type)
                                              .put32(0)
                                              .put64(first)
                                              .put64(bytes)
                                              .put32(process)
                                              .text("a"));
    return error_of(message) != 0 ? 100 + error_of(message) : message[7];
  };
  constexpr u8 kRead = 0, kWrite = 1, kNone = 2;
  EXPECT_EQ(lock(kWrite, 0, 100, 1), 0u);
  EXPECT_EQ(lock(kWrite, 99, 1, 2), 1u);
  EXPECT_EQ(lock(kRead, 100, 0, 2), 0u);
  EXPECT_EQ(lock(kNone, 10, 10, 1), 0u);
  EXPECT_EQ(lock(kWrite, 10, 10, 2), 0u);
  EXPECT_EQ(lock(kRead, 9, 1, 2), 1u);
  EXPECT_EQ(lock(kRead, 20, 1, 2), 1u);
  EXPECT_EQ(lock(3, 0, 1, 2), 100 + kEINVAL);
  const std::vector<u8> found =
      reply(P9Request(Type::Getlock).put32(1).put8(kWrite).put64(5).put64(2).put32(2).text("a"));
  Reader in = body_of(found);
  EXPECT_EQ(in.take8(), kWrite);
  EXPECT_EQ(in.take64(), 0u);
  EXPECT_EQ(in.take64(), 10u);
  EXPECT_EQ(in.take32(), 1u);
  // As many as there can be, and not one more.
  u32 outcome = 0;
  for (u64 at = 1000; outcome == 0 && at < 40'000; at += 2) outcome = lock(kRead, at, 1, 3);
  EXPECT_EQ(outcome, 100 + kENOLCK);
  EXPECT_EQ(clunk(1), 0u);
  EXPECT_EQ(walk(0, 1, {"file"}), 0u);
  EXPECT_EQ(open(1, 2), 0u);
  EXPECT_EQ(lock(kWrite, 0, 0, 4), 0u) << "they ended with the fid";
}

TEST_F(P9ServerTest, MessagesThatAreNone) {
  std::vector<u8> message = walk_request(0, 1, {"file"}).bytes();
  for (std::size_t bytes = kHeaderBytes; bytes < message.size(); ++bytes) {
    std::vector<u8> less(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_EQ(error_of(server.reply_to(less, kRoom)), kEPROTO) << "its size says more";
    less[0] = static_cast<u8>(bytes);
    EXPECT_EQ(error_of(server.reply_to(less, kRoom)), kEPROTO);
  }
  std::vector<u8> more = message;
  more.push_back(0);
  EXPECT_EQ(error_of(server.reply_to(more, kRoom)), 0u) << "what lies behind it is none of it";
  EXPECT_EQ(clunk(1), 0u);
  ++more[0];
  EXPECT_EQ(error_of(server.reply_to(more, kRoom)), kEPROTO);
  for (const u32 size : {0u, 6u, ~0u}) {
    write_unaligned<u32>(message.data(), size);
    EXPECT_EQ(error_of(server.reply_to(message, kRoom)), kEPROTO) << size;
  }
  EXPECT_EQ(error(P9Request(static_cast<Type>(200))), kEOPNOTSUPP);
  EXPECT_EQ(error(P9Request(Type::Write).put32(0).put64(0).put32(~0u)), kEPROTO);
  EXPECT_EQ(error(P9Request(Type::Version).put32(100).text("9P2000.L")), kEMSGSIZE);
  // A reply that does not fit is an error, not a part.
  EXPECT_EQ(error_of(server.reply_to(P9Request(Type::Getattr).put32(0).put64(0).bytes(), 20)), kEMSGSIZE);
  EXPECT_EQ(error(P9Request(Type::Version).put32(8192).text("9P2000.u")), 0u);
  EXPECT_EQ(walk(0, 1, {"file"}), kEPROTO) << "no version was agreed on";
  start();
  EXPECT_EQ(error(P9Request(Type::Attach).put32(0).put32(~0u).text("").text("").put32(0)), kEINVAL);
  EXPECT_EQ(error(P9Request(Type::Attach).put32(9).put32(~0u).text("").text("/etc").put32(0)), kENOENT);
  EXPECT_EQ(walk(0, 0, {"folder"}), 0u);
  EXPECT_EQ(walk(0, 1, {"inner"}), 0u);
  EXPECT_EQ(walk(0, 1, {"inner"}), kEINVAL) << "the fid is taken";
  EXPECT_EQ(walk(7, 8, {}), kEBADF);
}

TEST_F(P9ServerTest, WhatItKeepsHasABound) {
  u32 fid = 1;
  u32 outcome = 0;
  while (outcome == 0 && fid < 1'000'000) outcome = walk(0, fid++, {});
  EXPECT_EQ(outcome, kENOMEM);
  EXPECT_GT(fid, 200'000u);
  EXPECT_EQ(clunk(1), 0u);
  EXPECT_EQ(walk(0, 1, {}), 0u);
}

TEST_F(P9ServerTest, SaveAndLoad) {
  EXPECT_EQ(walk(0, 1, {"folder", "inner", "deep"}), 0u);
  EXPECT_EQ(open(1, 2), 0u);
  EXPECT_EQ(walk(0, 2, {"file"}), 0u);
  EXPECT_EQ(open(2, 0), 0u);
  EXPECT_EQ(unlink(0, "file"), 0u);
  EXPECT_EQ(walk(0, 3, {}), 0u);
  EXPECT_EQ(open(3, 0), 0u);
  EXPECT_EQ(list(3, 60).size(), 5u);
  EXPECT_EQ(walk(0, 4, {"folder"}), 0u);
  EXPECT_EQ(error(P9Request(Type::Xattrcreate).put32(4).text("user.x").put64(3).put32(0)), 0u);
  EXPECT_EQ(write(4, 0, "va"), 0u);
  const std::vector<u8> state = saved(server);
  const u64 deep = number(1);

  FakeShare copy(true);
  Server other(copy);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  const auto ask = [&](const P9Request& request) { return error_of(other.reply_to(request.bytes(), kRoom)); };
  EXPECT_EQ(ask(P9Request(Type::Read).put32(1).put64(0).put32(9)), 0u) << "it is opened again";
  EXPECT_EQ(ask(P9Request(Type::Read).put32(2).put64(0).put32(9)), kESTALE) << "its name is gone";
  EXPECT_EQ(ask(P9Request(Type::Readdir).put32(3).put64(2).put32(99)), 0u);
  EXPECT_EQ(ask(P9Request(Type::Write).put32(4).put64(2).put32(1).put8('l')), 0u);
  EXPECT_EQ(ask(P9Request(Type::Clunk).put32(4)), 0u);
  EXPECT_EQ(copy.files.at("folder")->xattrs.at("user.x").size(), 3u);
  EXPECT_EQ(ask(walk_request(0, 9, {"folder", "inner", "deep"})), 0u);
  const std::vector<u8> attributes =
      other.reply_to(P9Request(Type::Getattr).put32(9).put64(0).bytes(), kRoom);
  EXPECT_EQ(read_unaligned<u64>(attributes.data() + 7 + 8 + 5), deep) << "files keep their numbers";
  copy.files.erase("folder/inner/deep");
  Server third(copy);
  ASSERT_TRUE(load(third, state));
  EXPECT_EQ(error_of(third.reply_to(P9Request(Type::Read).put32(1).put64(0).put32(9).bytes(), kRoom)),
            kESTALE);

  // Whatever else a state says is refused or harmless.
  Noise noise(9001);
  for (int i = 0; i < 2000; ++i) {
    std::vector<u8> wrong = state;
    for (u32 changes = 1 + noise.below(3); changes != 0; --changes)
      wrong[noise.below(static_cast<u32>(wrong.size()))] = static_cast<u8>(noise.value());
    if (noise.below(10) == 0) wrong.resize(noise.below(static_cast<u32>(wrong.size())));
    load(other, wrong);
    for (int k = 0; k < 5; ++k)
      other.reply_to(noisy_p9_request([&](u32 bound) { return noise.below(bound); }), 4096);
  }
}

TEST_F(P9ServerTest, Noise) {
  // Others by --gtest_random_seed.
  Noise noise(9002 + static_cast<u32>(::testing::GTEST_FLAG(random_seed)));
  u32 successes = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::vector<u8> request = noisy_p9_request([&](u32 bound) { return noise.below(bound); });
    const u32 room = noise.below(4) == 0 ? kErrorBytes + noise.below(100) : 8192;
    const std::vector<u8> answer = server.reply_to(request, room);
    ASSERT_GE(answer.size(), kHeaderBytes);
    ASSERT_LE(answer.size(), room);
    successes += error_of(answer) == 0 ? 1 : 0;
    if (noise.below(3000) == 0) {
      const std::vector<u8> state = saved(server);
      ASSERT_TRUE(load(server, state));
      ASSERT_EQ(saved(server), state);
    }
    if (noise.below(500) == 0) start();
  }
  EXPECT_GT(successes, 3000u);
}

}  // namespace
}  // namespace reprise::devices::p9
