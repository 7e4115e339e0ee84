// A hostile guest and a restless host at the same folder: requests that mean harm go through the server to real files, while a
// thread puts symbolic links and FIFOs where folders and files were, and back. Nothing outside is read or changed.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <atomic>
#include <map>
#include <random>
#include <string_view>
#include <thread>

#include "devices/p9/server.h"
#include "machine/share/host_share.h"
#include "tests/devices/fake_share.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;
using devices::ShareAnswer;
using devices::ShareOp;
using devices::ShareQuestion;
using devices::p9::Type;
using devices::testing::P9Request;

constexpr std::string_view kSecret = "what nobody in there may read";
constexpr u32 kRoom = devices::p9::Server::kMaxMessageBytes;

/// Waits for no disk, and notes whether an answer had the secret.
class Watched final : public devices::ShareBackend {
 public:
  Watched(HostFolder folder, const ShareConfig& config) : share_(std::move(folder), config) {}
  ShareAnswer ask(const ShareQuestion& question) override {
    if (question.op == ShareOp::Sync) return {};
    ShareAnswer answer = share_.ask(question);
    const std::string_view content(reinterpret_cast<const char*>(answer.content.data()),
                                   answer.content.size());
    leaked |= content.find(kSecret) != content.npos;
    if (answer.error == 0) ++done[question.op];
    return answer;
  }
  bool leaked = false;
  std::map<ShareOp, u64> done;

 private:
  HostShare share_;
};

class ShareNoiseTest : public StorageTest {
 protected:
  ShareNoiseTest() {
    // The same names inside and outside, so that whatever follows a link arrives.
    for (const std::string root : {"share", "secret"}) {
      fs::create_directories(path(root + "/folder/inner"));
      for (const std::string name : {"/file", "/new", "/folder/file", "/folder/deep", "/folder/inner/deep"})
        file(root + name, bytes_of(root == "secret" ? kSecret : "open to all"));
    }
    fs::create_symlink(path("secret/file"), path("share/link"));
  }
  static std::vector<u8> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }
  /// All that a change outside would change: of folders, too.
  std::map<std::string, std::vector<u64>> outside() const {
    std::map<std::string, std::vector<u64>> all;
    const auto add = [&](const std::string& name) {
      struct stat now {};
      EXPECT_EQ(lstat(name.c_str(), &now), 0) << name;
      all[name] = {now.st_ino,
                   now.st_mode,
                   now.st_nlink,
                   static_cast<u64>(now.st_size),
                   static_cast<u64>(now.st_ctim.tv_sec),
                   static_cast<u64>(now.st_ctim.tv_nsec)};
    };
    add(path("secret"));
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path("secret")))
      add(entry.path());
    return all;
  }
  /// Puts what does not belong there in the place of `name` in `parent`, and back; what the guest has taken away, too. It follows
  /// no link itself: the guest may have put one of its links there for good.
  void disturb(const std::string& parent, const std::string& name, bool folder) const {
    const HostFd at = open_fd(path("share" + parent), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!at) return;
    const std::string aside = path("aside/" + std::to_string(folder));
    renameat(at.get(), name.c_str(), AT_FDCWD, aside.c_str());
    if (folder)
      symlinkat(path("secret" + parent + "/" + name).c_str(), at.get(), name.c_str());
    else
      mkfifoat(at.get(), name.c_str(), 0666);
    std::this_thread::yield();
    unlinkat(at.get(), name.c_str(), 0);
    renameat(AT_FDCWD, aside.c_str(), at.get(), name.c_str());
    struct stat now {};
    if (!folder) return;
    if (fstatat(at.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(now.st_mode)) return;
    unlinkat(at.get(), name.c_str(), 0);
    mkdirat(at.get(), name.c_str(), 0777);
  }
  /// What every guest does, whatever has become of the names that noise plays with.
  template <class Ask>
  static void work(const Ask& ask) {
    const auto root = [](Type type) { return P9Request(type).put32(0); };
    ask(root(Type::Walk).put32(7).put16(0));
    ask(P9Request(Type::Lcreate).put32(7).text("own").put32(2).put32(0644).put32(0));
    ask(P9Request(Type::Write).put32(7).put64(0).put32(1).put8('x'));
    ask(P9Request(Type::Read).put32(7).put64(0).put32(9));
    ask(root(Type::Mkdir).text("own folder").put32(0755).put32(0));
    ask(root(Type::Symlink).text("own link").text("own").put32(0));
    ask(root(Type::Walk).put32(8).put16(1).text("own link"));
    ask(P9Request(Type::Readlink).put32(8));
    ask(root(Type::Walk).put32(9).put16(1).text("own folder"));
    ask(P9Request(Type::Lopen).put32(9).put32(0));
    ask(P9Request(Type::Readdir).put32(9).put64(0).put32(999));
    ask(root(Type::Walk).put32(10).put16(1).text("own"));
    ask(P9Request(Type::Lopen).put32(10).put32(0));
    P9Request mode = P9Request(Type::Setattr).put32(10).put32(1).put32(0600).put32(0).put32(0);
    for (int i = 0; i < 5; ++i) mode.put64(0);
    ask(mode);
    ask(root(Type::Renameat).text("own").put32(0).text("own too"));
    ask(root(Type::Unlinkat).text("own too").put32(0));
    ask(root(Type::Unlinkat).text("own link").put32(0));
    ask(root(Type::Unlinkat).text("own folder").put32(0x200));
    for (const u32 fid : {7, 8, 9, 10}) ask(P9Request(Type::Clunk).put32(fid));
  }
  /// A session with a fid for each of some names, and a file and a folder open.
  static void begin(devices::p9::Server& server, bool read_only) {
    const auto ask = [&](const P9Request& request) { server.reply_to(request.bytes(), kRoom); };
    ask(P9Request(Type::Version).put32(65536).text("9P2000.L"));
    ask(P9Request(Type::Attach).put32(0).put32(~0u).text("").text("").put32(0));
    ask(P9Request(Type::Walk).put32(0).put32(1).put16(1).text("folder"));
    ask(P9Request(Type::Walk).put32(0).put32(2).put16(2).text("folder").text("inner"));
    ask(P9Request(Type::Walk).put32(0).put32(3).put16(1).text("folder"));
    ask(P9Request(Type::Walk).put32(0).put32(4).put16(2).text("folder").text("file"));
    ask(P9Request(Type::Walk).put32(0).put32(5).put16(1).text("file"));
    if (!read_only) work(ask);
    ask(P9Request(Type::Walk).put32(0).put32(6).put16(1).text("link"));
    ask(P9Request(Type::Readlink).put32(6));
    for (const u32 fid : {3, 4, 5})
      ask(P9Request(Type::Lopen).put32(fid).put32(fid == 3 || read_only ? 0 : 2));
  }
  void play(HostFolder folder, const ShareConfig& config, int requests) {
    Watched host(std::move(folder), config);
    devices::p9::Server server(host);
    fs::create_directories(path("aside"));
    const auto before = outside();
    std::atomic<bool> over = false;
    std::thread restless([&] {
      while (!over) {
        disturb("", "folder", true);
        disturb("/folder", "inner", true);
        disturb("", "file", false);
      }
    });
    // Others by --gtest_random_seed.
    std::minstd_rand random(15 + static_cast<unsigned>(testing::GTEST_FLAG(random_seed)));
    const auto below = [&](u32 bound) { return bound == 0 ? 0 : static_cast<u32>(random() % bound); };
    for (int i = 0; i < requests; ++i) {
      if (i % 50 == 0) begin(server, config.read_only);
      const std::vector<u8> reply = server.reply_to(devices::testing::noisy_p9_request(below), kRoom);
      ASSERT_GE(reply.size(), devices::p9::kHeaderBytes);
    }
    over = true;
    restless.join();
    EXPECT_FALSE(host.leaked);
    EXPECT_EQ(outside(), before);
    for (const ShareOp op : {ShareOp::Stat, ShareOp::List, ShareOp::Open, ShareOp::Read, ShareOp::ReadLink})
      EXPECT_GT(host.done[op], 0u) << static_cast<int>(op);
    if (config.read_only) return;
    for (const ShareOp op : {ShareOp::Create, ShareOp::Write, ShareOp::Set, ShareOp::MakeFolder,
                             ShareOp::MakeLink, ShareOp::Rename, ShareOp::Remove})
      EXPECT_GT(host.done[op], 0u) << static_cast<int>(op);
  }
  HostFolder folder() const { return HostFolder::open(path("share")).take(); }
};

constexpr int kRequests = 20'000;

TEST_F(ShareNoiseTest, NothingLeadsOut) { play(folder(), {}, kRequests); }
TEST_F(ShareNoiseTest, NothingLeadsOutByHand) { play(folder().without_openat2(), {}, kRequests); }
TEST_F(ShareNoiseTest, NothingLeadsOutWithRealOwners) {
  play(folder(), {.owner = ShareOwner::Real}, kRequests);
}
TEST_F(ShareNoiseTest, NothingLeadsOutReadOnly) { play(folder(), {.read_only = true}, kRequests); }

}  // namespace
}  // namespace reprise::machine
