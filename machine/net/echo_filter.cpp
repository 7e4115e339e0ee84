#include "machine/net/echo_filter.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>

namespace reprise::machine {
namespace {

u16 big_endian(std::span<const u8> bytes, std::size_t at) {
  return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}

// RFC 792, RFC 4443: type, code, checksum, identifier, sequence number.
constexpr std::size_t kIdAt = 4, kSequenceAt = 6, kEchoBytes = 8;
constexpr u8 kRequest4 = 8, kReply4 = 0, kRequest6 = 128, kReply6 = 129;

}  // namespace

std::optional<EchoRequest> echo_request(std::span<const u8> frame) {
  constexpr std::size_t kTypeAt = 12, kIpAt = 14, kIpv4HeaderBytes = 20, kIpv6HeaderBytes = 40;
  constexpr u16 kIpv4 = 0x0800, kIpv6 = 0x86dd;
  constexpr u8 kIcmp = 1, kIcmpv6 = 58;
  if (frame.size() < kIpAt + kIpv4HeaderBytes + kEchoBytes) return std::nullopt;
  const u16 type = big_endian(frame, kTypeAt);
  const bool v6 = type == kIpv6;
  if (!v6 && type != kIpv4) return std::nullopt;
  const std::span<const u8> packet = frame.subspan(kIpAt);
  const std::size_t header = v6 ? kIpv6HeaderBytes : 4 * std::size_t{packet[0] & 0xfu};
  if (packet[v6 ? 6 : 9] != (v6 ? kIcmpv6 : kIcmp) || packet.size() < header + kEchoBytes)
    return std::nullopt;
  const std::span<const u8> icmp = packet.subspan(header);
  if (icmp[0] != (v6 ? kRequest6 : kRequest4)) return std::nullopt;
  return EchoRequest{.v6 = v6, .id = big_endian(icmp, kIdAt), .sequence = big_endian(icmp, kSequenceAt)};
}

void hear_only_answer(int descriptor, const EchoRequest& request) {
  int type = 0;
  socklen_t bytes = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_RAW) return;
  const u32 answer = u32{request.id} << 16 | request.sequence;
  const u32 reply = request.v6 ? kReply6 : kReply4;
  // A raw socket of IPv4 gets the IP header, too, whose length is in its first byte.
  const sock_filter begin = request.v6 ? sock_filter BPF_STMT(BPF_LDX | BPF_IMM, 0)
                                       : sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0);
  std::array<sock_filter, 7> program = {begin,
                                        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
                                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, reply, 0, 3),
                                        BPF_STMT(BPF_LD | BPF_W | BPF_IND, kIdAt),
                                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, answer, 0, 1),
                                        BPF_STMT(BPF_RET | BPF_K, ~0u),
                                        BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

}  // namespace reprise::machine
