#include "machine/storage/image_lock.h"

#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using namespace std::chrono_literals;

class StorageLock : public StorageTest {
 protected:
  StorageLock() { file("a.img", pattern(512)); }
  HostFd open_image() { return open_fd(path("a.img"), O_RDWR); }
};

TEST_F(StorageLock, ManyMayRead) {
  const HostFd a = open_image(), b = open_image();
  EXPECT_EQ(lock_image(a.get(), ImageUse::Read, 0ms), LockResult::Locked);
  EXPECT_EQ(lock_image(b.get(), ImageUse::Read, 0ms), LockResult::Locked);
}

TEST_F(StorageLock, OneMayWriteAndNoneMayReadThen) {
  HostFd writer = open_image();
  const HostFd other = open_image();
  EXPECT_EQ(lock_image(writer.get(), ImageUse::Write, 0ms), LockResult::Locked);
  EXPECT_EQ(lock_image(other.get(), ImageUse::Write, 0ms), LockResult::Busy);
  EXPECT_EQ(lock_image(other.get(), ImageUse::Read, 0ms), LockResult::Busy);
  writer.close();
  EXPECT_EQ(lock_image(other.get(), ImageUse::Write, 0ms), LockResult::Locked);
}

TEST_F(StorageLock, NoneMayWriteWhatIsRead) {
  HostFd reader = open_image();
  const HostFd writer = open_image();
  EXPECT_EQ(lock_image(reader.get(), ImageUse::Read, 0ms), LockResult::Locked);
  EXPECT_EQ(lock_image(writer.get(), ImageUse::Write, 0ms), LockResult::Busy);
  reader.close();
  EXPECT_EQ(lock_image(writer.get(), ImageUse::Write, 0ms), LockResult::Locked);
}

TEST_F(StorageLock, QemuSeesThem) {
  if (!have_qemu()) GTEST_SKIP() << "no qemu-img";
  const HostFd writer = open_image();
  ASSERT_EQ(lock_image(writer.get(), ImageUse::Write, 0ms), LockResult::Locked);
  const std::string qemu_img = find_program("qemu-img", "", "").take();
  const auto refused = run_program({qemu_img, "convert", "-f", "raw", path("a.img"), path("b.img")});
  ASSERT_TRUE(refused.ok());
  EXPECT_NE(refused.value().exit_code, 0);
  EXPECT_NE(refused.value().errors.find("lock"), std::string::npos) << refused.value().errors;
}

}  // namespace
}  // namespace reprise::machine
