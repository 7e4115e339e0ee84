#include "machine/net/tftp_requests.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

namespace reprise::machine {
namespace {

constexpr Ipv4Address kServer = {10, 0, 2, 2};

/// A read request for `name` over IPv4, from its Ethernet header on.
std::vector<u8> request(std::string_view name, u16 port = 69, u16 fragment = 0) {
  std::vector<u8> frame(14 + 20 + 8);
  frame[12] = 0x08;
  u8* const ip = frame.data() + 14;
  ip[0] = 0x45;
  ip[6] = static_cast<u8>(fragment >> 8);
  ip[7] = static_cast<u8>(fragment);
  ip[9] = 17;
  std::copy(kServer.begin(), kServer.end(), ip + 16);
  ip[20 + 3] = static_cast<u8>(port);
  frame.push_back(0);
  frame.push_back(1);
  frame.insert(frame.end(), name.begin(), name.end());
  for (const char c : std::string_view("\0octet\0", 7)) frame.push_back(static_cast<u8>(c));
  return frame;
}

TEST(TftpRequests, AreFound) {
  EXPECT_EQ(tftp_request(request("boot/file"), kServer), "boot/file");
  EXPECT_EQ(tftp_request(request(""), kServer), "");
  EXPECT_EQ(tftp_request(request("file", 70), kServer), std::nullopt);
  EXPECT_EQ(tftp_request(request("file"), {10, 0, 2, 3}), std::nullopt);

  std::vector<u8> options = request("file");  // 4 bytes of IP options
  options[14] = 0x46;
  options.insert(options.begin() + 34, 4, 0);
  EXPECT_EQ(tftp_request(options, kServer), "file");

  std::vector<u8> six = request("file");
  six.insert(six.begin() + 14, 20, 0);
  six[12] = 0x86, six[13] = 0xdd, six[14] = 0x60, six[14 + 6] = 17;
  six[34] = 0;
  EXPECT_EQ(tftp_request(six, kServer), "file");

  std::vector<u8> acknowledgement = request("file");
  acknowledgement[14 + 28 + 1] = 4;
  EXPECT_EQ(tftp_request(acknowledgement, kServer), std::nullopt);
}

/// The sum over a UDP datagram's words, with what RFC 768 takes from the header of IPv4: all ones when its checksum is right.
u32 udp_sum(const std::vector<u8>& frame) {
  u32 sum = 17 + static_cast<u32>(frame.size() - 34);
  for (std::size_t at = 26; at < frame.size(); ++at) sum += at % 2 == 0 ? u32{frame[at]} << 8 : frame[at];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

TEST(TftpRequests, AreMadeOnesThatAServerRefuses) {
  for (const std::string_view name : {"ab", "abc", "a longer/name"}) {
    std::vector<u8> frame = request(name);
    EXPECT_EQ(request_to_refuse(frame, kServer).at(14 + 20 + 6), 0) << "none stays none";
    const u32 sum = 0xffff - udp_sum(frame);
    frame[14 + 20 + 6] = static_cast<u8>(sum >> 8);
    frame[14 + 20 + 7] = static_cast<u8>(sum);
    ASSERT_EQ(udp_sum(frame), 0xffffu);
    const std::vector<u8> refused = request_to_refuse(frame, kServer);
    EXPECT_EQ(tftp_request(refused, kServer), std::string(name.size() - 2, '/') + "..");
    EXPECT_EQ(refused.size(), frame.size());
    EXPECT_EQ(udp_sum(refused), 0xffffu) << name;
  }
  EXPECT_TRUE(request_to_refuse(request("a"), kServer).empty());
  EXPECT_TRUE(request_to_refuse(request("file", 69, 0x2000), kServer).empty());
}

TEST(TftpRequests, ThoseThatAreCutUpHaveNoName) {
  EXPECT_EQ(tftp_request(request("file", 69, 0x2000), kServer), "");
  EXPECT_EQ(tftp_request(request("file", 69, 0x0001), kServer), std::nullopt);  // a later piece
}

TEST(TftpRequests, MayBeOfAnyLength) {
  const std::vector<u8> whole = request("file");
  for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    const std::vector<u8> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_EQ(tftp_request(part, kServer).has_value(), bytes >= 14 + 20 + 8 + 2) << bytes;
  }
}

TEST(TftpRequests, FilesAreTheFolders) {
  namespace fs = std::filesystem;
  char name[] = "/tmp/reprise-tftp-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const fs::path outer = name;
  const fs::path folder = outer / "folder";
  fs::create_directories(folder / "inner");
  for (const fs::path& file :
       {outer / "secret", outer / "folder-too", folder / "file", folder / "inner/file"})
    std::ofstream(file) << "x";
  fs::create_symlink("inner/file", folder / "within");
  fs::create_symlink("../secret", folder / "out");
  fs::create_symlink("/", folder / "root");
  fs::create_symlink("../folder-too", folder / "beside");
  fs::create_symlink("nothing", folder / "dangling");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);

  for (const char* good : {"file", "/file", "inner/file", "within", "inner/../file", "dangling", "nothing"})
    EXPECT_TRUE(is_file_within(folder, good)) << good;
  for (const char* bad : {"out", "/out", "root/etc/passwd", "beside", "pipe", "inner", "", "../secret"})
    EXPECT_FALSE(is_file_within(folder, bad)) << bad;
  fs::create_directory_symlink("folder", outer / "alias");
  EXPECT_TRUE(is_file_within(outer / "alias", "file"));
  EXPECT_FALSE(is_file_within(outer / "alias", "out"));
  fs::remove_all(outer);
}

}  // namespace
}  // namespace reprise::machine
