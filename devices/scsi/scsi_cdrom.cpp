#include "devices/scsi/scsi_cdrom.h"

#include "devices/scsi/identity.h"

namespace reprise::devices::scsi {
namespace {

constexpr u8 kInquiry = 0x12, kModeSense6 = 0x1a, kModeSense10 = 0x5a;
constexpr std::size_t kBufferBytes = 64 * 1024;
static_assert(kBufferBytes % ata::Cdrom::kBlockBytes == 0);

/// Keeps what is sent.
class Kept final : public Transfer {
 public:
  u64 room() const override { return ata::kMaxBlockBytes; }
  u64 offered() const override { return 0; }
  bool give(std::span<const u8> more) override {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return true;
  }
  bool take(std::span<u8>) override { return false; }
  std::vector<u8> bytes;
};

}  // namespace

ScsiCdrom::ScsiCdrom(BlockBackend& disc, std::string serial)
    : serial_(std::move(serial)), drive_(disc, serial_, ata::Cable::Serial) {}

Outcome ScsiCdrom::execute(Command command, Transfer& transfer) {
  const Identity identity = {
      .type = UnitType::Cdrom, .removable = true, .product = "CD-ROM", .serial = serial_};
  if (command[0] == kInquiry) return inquire(command, transfer, identity, {});
  if (command[0] == kModeSense6) return mode_sense(command, transfer);
  Packet packet{};
  std::copy_n(command.begin(), packet.size(), packet.begin());
  return execute_packet(packet, transfer);
}

Outcome ScsiCdrom::execute_packet(const Packet& packet, Transfer& transfer) {
  ata::Work work = drive_.begin_packet(packet, true);
  // Whoever asks gets the sense with the answer.
  const auto failed = [this] { return Outcome::failed(drive_.take_sense()); };
  if (work.error != 0) return failed();
  if (work.bytes > transfer.room()) return {Outcome::Kind::Overrun};
  for (u64 offset = 0; offset < work.bytes;) {
    buffer_.resize(kBufferBytes);
    const std::span<u8> piece = std::span(buffer_).first(std::min<u64>(work.bytes - offset, kBufferBytes));
    const u64 good = drive_.read(work, offset, piece);
    if (!transfer.give(piece.first(good))) return {Outcome::Kind::TransferFailed};
    if (work.error != 0) return failed();
    offset += good;
  }
  ata::TaskFile registers;
  drive_.finish(work, registers);
  return work.error != 0 ? failed() : Outcome{};
}

/// The same pages as MODE SENSE(10) behind a shorter header. SPC-3 6.9, 7.4.3.
Outcome ScsiCdrom::mode_sense(Command command, Transfer& transfer) {
  constexpr u8 kMost = 255;
  constexpr std::size_t kLongHeader = 8;
  const Packet packet = {kModeSense10, command[1], command[2], command[3], 0, 0, 0, 0, kMost, 0};
  Kept kept;
  if (const Outcome out = execute_packet(packet, kept); out.kind != Outcome::Kind::Good) return out;
  std::vector<u8> bytes = {0, kept.bytes[2], kept.bytes[3], 0};
  bytes.insert(bytes.end(), kept.bytes.begin() + kLongHeader, kept.bytes.end());
  bytes[0] = static_cast<u8>(bytes.size() - 1);
  return answer(transfer, bytes, command[4]);
}

}  // namespace reprise::devices::scsi
