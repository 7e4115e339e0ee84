// The folder of code for other runs: what it gives back, and whom it believes.
#include "frontend/code_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace reprise {
namespace {

using frontend::CodeDirectory;
namespace fs = std::filesystem;

class CodeDirectoryTest : public testing::Test {
 protected:
  CodeDirectoryTest() : folder_(fs::path(testing::TempDir()) / ("code." + std::to_string(getpid()))) {
    fs::remove_all(folder_);
  }
  ~CodeDirectoryTest() override { fs::remove_all(folder_); }

  Result<std::shared_ptr<CodeDirectory>> open(const std::string& build = "b1") {
    return CodeDirectory::open(folder_.string(), build,
                               [this](const std::string& text) { told_.push_back(text); });
  }
  std::vector<u8> loaded(const std::string& build = "b1", const std::string& name = "n") {
    auto directory = open(build);
    EXPECT_TRUE(directory.ok());
    const auto stored = directory.value()->load(name);
    if (!stored) return {};
    return {stored->bytes.begin(), stored->bytes.end()};
  }
  void save(const std::vector<u8>& bytes, const std::string& name = "n") {
    open().value()->save(name, bytes);
  }
  fs::path file() const { return folder_ / "n-b1.code"; }

  const fs::path folder_;
  std::vector<std::string> told_;
  const std::vector<u8> bytes_ = {1, 2, 3, 4, 5, 6, 7, 8, 9};
};

TEST_F(CodeDirectoryTest, GivesBackWhatWasSaved) {
  EXPECT_TRUE(loaded().empty());
  save(bytes_);
  EXPECT_EQ(loaded(), bytes_);
  save({7});
  EXPECT_EQ(loaded(), std::vector<u8>{7});
  EXPECT_TRUE(loaded("b2").empty());
  EXPECT_TRUE(told_.empty());
  struct stat about {};
  ASSERT_EQ(stat((folder_ / "key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(file().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(CodeDirectoryTest, BelievesNoChangedByte) {
  save(bytes_);
  const auto size = fs::file_size(file());
  for (std::uintmax_t at = 0; at < size; ++at) {
    save(bytes_);
    std::fstream change(file(), std::ios::in | std::ios::out | std::ios::binary);
    change.seekg(static_cast<std::streamoff>(at));
    const int before = change.get();
    change.seekp(static_cast<std::streamoff>(at));
    change.put(static_cast<char>(before ^ 0x10));
    change.close();
    EXPECT_TRUE(loaded().empty()) << at;
  }
  fs::resize_file(file(), 20);
  EXPECT_TRUE(loaded().empty());
  EXPECT_EQ(told_.size(), size + 1);
  EXPECT_NE(told_[0].find("n-b1.code"), std::string::npos);
}

TEST_F(CodeDirectoryTest, BelievesNoOtherNameAndNoOtherKey) {
  save(bytes_);
  fs::copy_file(file(), folder_ / "m-b1.code");
  EXPECT_TRUE(loaded("b1", "m").empty());
  fs::copy_file(file(), folder_ / "n-b2.code");
  EXPECT_TRUE(loaded("b2").empty());
  fs::remove(folder_ / "key");
  EXPECT_TRUE(loaded().empty());
  EXPECT_EQ(told_.size(), 3u);
}

TEST_F(CodeDirectoryTest, NobodyElseMayWriteThere) {
  save(bytes_);
  fs::permissions(file(), fs::perms::group_write, fs::perm_options::add);
  EXPECT_TRUE(loaded().empty());
  EXPECT_EQ(told_.size(), 1u);
  fs::permissions(folder_, fs::perms::others_write, fs::perm_options::add);
  EXPECT_FALSE(open().ok());
  fs::permissions(folder_, fs::perms::owner_all);
  EXPECT_TRUE(open().ok());
  fs::permissions(folder_ / "key", fs::perms::group_read, fs::perm_options::add);
  EXPECT_FALSE(open().ok());
}

TEST_F(CodeDirectoryTest, WaitsForNobody) {
  save(bytes_);
  fs::remove(file());
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
  EXPECT_TRUE(loaded().empty());
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_[0].find("it is no file"), std::string::npos) << told_[0];
  fs::remove(file());
  fs::create_symlink(folder_ / "key", file());
  EXPECT_TRUE(loaded().empty());
  fs::remove(folder_ / "key");
  ASSERT_EQ(mkfifo((folder_ / "key").c_str(), 0600), 0);
  EXPECT_FALSE(open().ok());
}

TEST_F(CodeDirectoryTest, WhatTheHostCannotDoIsNoMistakeOfTheCommand) {
  const auto missing = CodeDirectory::open((folder_ / "a" / "b").string(), "b1", {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::Host);
  std::ofstream(folder_.string()) << "x";
  EXPECT_EQ(open().error().kind, ErrorKind::Usage);
}

TEST_F(CodeDirectoryTest, RefusesWhatIsNoFolderAndBuildsWithoutName) {
  std::ofstream(folder_.string()) << "x";
  EXPECT_FALSE(open().ok());
  fs::remove(folder_);
  EXPECT_FALSE(open("").ok());
}

TEST_F(CodeDirectoryTest, TheOldestOfManyFilesGo) {
  for (std::size_t i = 0; i < CodeDirectory::kMostFiles + 3; ++i) save(bytes_, "f" + std::to_string(i));
  const auto count = std::count_if(fs::directory_iterator(folder_), fs::directory_iterator(),
                                   [](const auto& entry) { return entry.path().extension() == ".code"; });
  EXPECT_EQ(static_cast<std::size_t>(count), CodeDirectory::kMostFiles);
  EXPECT_EQ(loaded("b1", "f" + std::to_string(CodeDirectory::kMostFiles + 2)), bytes_);
}

}  // namespace
}  // namespace reprise
