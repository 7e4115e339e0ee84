#include "devices/net/tcp_frame.h"

#include <gtest/gtest.h>

#include "devices/net/frame_backlog.h"
#include "tests/devices/net_frames.h"

namespace reprise::devices {
namespace {

using testing::TestSegment;

/// The sum as RFC 1071 writes it.
u16 slow_sum(std::span<const u8> bytes, u32 start) {
  u64 sum = start;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? u64{bytes[i]} << 8 : u64{bytes[i]};
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

TEST(TcpFrame, SumsAsTheRfcDoes) {
  std::vector<u8> bytes;
  for (unsigned i = 0; i < 100; ++i) {
    for (const u32 start : {0u, 1u, 0xffffu, 0x1'2345u})
      EXPECT_EQ(ones_sum(bytes, start), slow_sum(bytes, start)) << i;
    bytes.push_back(static_cast<u8>(i * 37 + 251));
  }
  const std::vector<u8> ones(1001, 0xff);
  EXPECT_EQ(ones_sum(ones), slow_sum(ones, 0));
}

TEST(TcpFrame, KnowsWholeSegmentsOnly) {
  for (const bool v6 : {false, true}) {
    const std::vector<u8> frame = TestSegment{.v6 = v6, .bytes = 5, .padding = 3}.frame();
    const auto tcp = parse_tcp(frame);
    ASSERT_TRUE(tcp);
    EXPECT_EQ(tcp->v6, v6);
    EXPECT_EQ(tcp->payload_bytes, 5u);
    EXPECT_EQ(tcp->end() + 3, frame.size());
    EXPECT_EQ(tcp->sequence, 1000u);
    EXPECT_TRUE(has_right_checksums(frame, *tcp));
    for (std::size_t bytes = 0; bytes < frame.size() - 3; ++bytes)
      EXPECT_FALSE(parse_tcp(std::span(frame).first(bytes))) << bytes;
    std::vector<u8> wrong = frame;
    wrong[tcp->payload] ^= 1;
    EXPECT_FALSE(has_right_checksums(wrong, *tcp));
  }
}

TEST(TcpFrame, SegmentsAreWhatTheWholeWas) {
  for (const bool v6 : {false, true}) {
    const u8 flags = TcpFrame::kAck | TcpFrame::kPsh | TcpFrame::kFin | TcpFrame::kCwr;
    const std::vector<u8> whole = TestSegment{.v6 = v6, .flags = flags, .bytes = 2500}.frame();
    const auto tcp = parse_tcp(whole);
    ASSERT_TRUE(tcp);
    std::vector<u8> data;
    std::vector<u8> seen_flags;
    segment_tcp(whole, *tcp, 1000, [&](std::span<const u8> segment) {
      const auto part = parse_tcp(segment);
      ASSERT_TRUE(part);
      EXPECT_TRUE(has_right_checksums(segment, *part));
      EXPECT_EQ(part->sequence, 1000 + data.size());
      seen_flags.push_back(part->flags);
      data.insert(data.end(), segment.begin() + part->payload, segment.end());
    });
    EXPECT_TRUE(std::equal(data.begin(), data.end(), whole.begin() + tcp->payload, whole.end()));
    EXPECT_EQ(seen_flags, (std::vector<u8>{TcpFrame::kAck | TcpFrame::kCwr, TcpFrame::kAck,
                                           TcpFrame::kAck | TcpFrame::kPsh | TcpFrame::kFin}));
  }
}

TEST(FrameBacklog, JoinsWhatGoesOn) {
  for (const bool v6 : {false, true}) {
    FrameBacklog backlog;
    for (u32 i = 0; i < 3; ++i)
      ASSERT_TRUE(backlog.push(TestSegment{.v6 = v6, .sequence = 1000 + 100 * i}.frame()));
    ASSERT_TRUE(backlog.push(
        TestSegment{.v6 = v6, .sequence = 1300, .flags = 0x18, .bytes = 1, .padding = 5}.frame()));
    ASSERT_TRUE(backlog.push(TestSegment{.v6 = v6, .sequence = 1301}.frame()));
    const ReceivedPacket packet = backlog.first({.v4 = true, .v6 = true});
    EXPECT_EQ(packet.segments, 4u);
    EXPECT_EQ(packet.segment_bytes, 100u);
    const auto tcp = parse_tcp(packet.frame);
    ASSERT_TRUE(tcp);
    EXPECT_EQ(tcp->payload_bytes, 301u);
    EXPECT_EQ(tcp->end(), packet.frame.size());
    EXPECT_EQ(tcp->flags, 0x18);
    for (u32 i = 0; i < 301; ++i)
      ASSERT_EQ(packet.frame[tcp->payload + i], static_cast<u8>((1000 + i) * 7)) << i;
    // What a driver, or a card behind it, makes of the sum of the pseudo header.
    std::vector<u8> completed = packet.frame;
    ASSERT_TRUE(complete_checksum(completed, tcp->tcp, 16));
    EXPECT_TRUE(has_right_checksums(completed, *tcp));
    backlog.drop(packet.segments);
    EXPECT_EQ(backlog.first({.v4 = true, .v6 = true}).segments, 1u);
    EXPECT_EQ(backlog.bytes(), TestSegment{.v6 = v6}.frame().size());
  }
}

TEST(FrameBacklog, JoinsNothingElse) {
  const TestSegment first{};
  const TestSegment next{.sequence = 1100};
  const auto segments_with = [&](const std::vector<u8>& a, const std::vector<u8>& b, JoinRules rules) {
    FrameBacklog backlog;
    EXPECT_TRUE(backlog.push(a) && backlog.push(b));
    return backlog.first(rules).segments;
  };
  const JoinRules all{.v4 = true, .v6 = true};
  EXPECT_EQ(segments_with(first.frame(), next.frame(), all), 2u);
  EXPECT_EQ(segments_with(first.frame(), next.frame(), {.v6 = true}), 1u);
  const auto refused = [&](TestSegment changed) {
    EXPECT_EQ(segments_with(first.frame(), changed.frame(), all), 1u);
  };
  refused({.sequence = 1101});
  refused({.sequence = 1100, .bytes = 101});
  refused({.sequence = 1100, .bytes = 0});
  refused({.sequence = 1100, .acknowledged = 78});
  refused({.v6 = true, .sequence = 1100});
  for (const u8 flag :
       {TcpFrame::kFin, TcpFrame::kSyn, TcpFrame::kRst, TcpFrame::kUrg, TcpFrame::kEce, TcpFrame::kCwr})
    refused({.sequence = 1100, .flags = static_cast<u8>(TcpFrame::kAck | flag)});
  EXPECT_EQ(segments_with(TestSegment{.flags = 0x18}.frame(), next.frame(), all), 1u)
      << "a pushed one is the last";
  // Another port, another address, a broken checksum.
  for (const std::size_t at : {std::size_t{6}, std::size_t{26}, std::size_t{34}, std::size_t{60}}) {
    std::vector<u8> changed = next.frame();
    changed[at] ^= 1;
    EXPECT_EQ(segments_with(first.frame(), changed, all), 1u) << at;
  }
}

TEST(FrameBacklog, HasAnEnd) {
  FrameBacklog backlog;
  const std::vector<u8> frame(1500, 1);
  u64 taken = 0;
  while (backlog.push(frame)) ++taken;
  EXPECT_EQ(taken, FrameBacklog::kMaxBytes / 1500);
  backlog.clear();
  EXPECT_FALSE(backlog.push(std::vector<u8>(13)));
  EXPECT_FALSE(backlog.push(std::vector<u8>(kMaxFrameBytes + 1)));
  EXPECT_TRUE(backlog.push(std::vector<u8>(kMaxFrameBytes)));
}

}  // namespace
}  // namespace reprise::devices
