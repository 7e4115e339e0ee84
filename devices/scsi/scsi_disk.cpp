#include "devices/scsi/scsi_disk.h"

#include <fmt/format.h>

#include <utility>

#include "common/zeros.h"
#include "devices/scsi/identity.h"

namespace reprise::devices::scsi {
namespace {

constexpr u64 kBlockBytes = BlockBackend::kSectorBytes;
constexpr std::size_t kBufferBytes = 256 * 1024;
// What the block limits page says: blocks, and ranges of UNMAP.
constexpr u32 kMaxTransfer = 0x20'0000;
constexpr u32 kMaxUnmap = 0x3f'ffff;
constexpr u32 kMaxUnmapRanges = 255;
constexpr u32 kMaxWriteSame = 0xffff;

void put(std::vector<u8>& bytes, u64 value, unsigned count) {
  for (unsigned i = count; i-- > 0;) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}

/// How long a command with this operation code is. SPC-3 4.3.4.
unsigned command_bytes(u8 operation) {
  switch (operation >> 5) {
    case 0: return 6;
    case 1:
    case 2: return 10;
    case 5: return 12;
    default: return 16;
  }
}

Sense sense_of(BlockStatus status, const Sense& otherwise) {
  switch (status) {
    case BlockStatus::ReadOnly: return kWriteProtected;
    case BlockStatus::NoSpace:
    case BlockStatus::TooLarge: return kNoSpace;
    case BlockStatus::OutOfRange: return kAddressOutOfRange;
    default: return otherwise;
  }
}

/// SBC-3 6.5.3.
VitalPage block_limits() {
  std::vector<u8> bytes = {0x01, 0};  // a WRITE SAME of no blocks is none
  put(bytes, 0, 2);                   // optimal granularity: any
  put(bytes, kMaxTransfer, 4);
  put(bytes, 0, 4);  // optimal length: any
  put(bytes, 0, 4);
  put(bytes, kMaxUnmap, 4);
  put(bytes, kMaxUnmapRanges, 4);
  put(bytes, 1, 4);  // granularity of UNMAP
  put(bytes, 0, 4);
  put(bytes, kMaxWriteSame, 8);
  bytes.resize(60);
  return {0xb0, std::move(bytes)};
}

/// SBC-3 6.5.2: it does not rotate.
VitalPage characteristics() {
  std::vector<u8> bytes = {0, 1};
  bytes.resize(60);
  return {0xb1, std::move(bytes)};
}

/// SBC-3 6.5.4: UNMAP and WRITE SAME(10) and (16) free blocks, which then read as zeros.
VitalPage provisioning() { return {0xb2, {0, 0xe4, 2, 0}}; }

/// SPC-3 7.4, SBC-3 6.4. Empty: there is no such page.
std::vector<u8> mode_pages(u8 wanted, bool changeable) {
  constexpr u8 kAll = 0x3f, kWriteCacheEnabled = 4, kAutomaticReallocation = 0x80;
  struct Page {
    u8 code;
    u8 bytes;
    u8 first;  // the only one that is not 0
  };
  static constexpr Page kPages[] = {
      {0x01, 10, kAutomaticReallocation}, {0x08, 18, kWriteCacheEnabled}, {0x0a, 10, 0}};
  std::vector<u8> all;
  for (const Page& page : kPages) {
    if (wanted != kAll && wanted != page.code) continue;
    all.push_back(page.code);
    all.push_back(page.bytes);
    all.push_back(changeable ? u8{0} : page.first);
    all.resize(all.size() + page.bytes - 1);
  }
  return all;
}

}  // namespace

ScsiDisk::ScsiDisk(BlockBackend* medium, std::string serial) : medium_(medium), serial_(std::move(serial)) {
  reset();
}

void ScsiDisk::reset() { attention_ = kWasReset; }

// SPC-3 5.8: what answers whatever waits.
const ScsiDisk::Row ScsiDisk::kRows[] = {
    {Operation::TestUnitReady, &ScsiDisk::done},
    {Operation::RequestSense, &ScsiDisk::request_sense, true},
    {Operation::Read6, &ScsiDisk::read},
    {Operation::Write6, &ScsiDisk::write},
    {Operation::Inquiry, &ScsiDisk::inquiry, true},
    {Operation::Reserve6, &ScsiDisk::done},
    {Operation::Release6, &ScsiDisk::done},
    {Operation::ModeSense6, &ScsiDisk::mode_sense},
    {Operation::StartStopUnit, &ScsiDisk::done},
    {Operation::PreventAllow, &ScsiDisk::done},
    {Operation::ReadCapacity10, &ScsiDisk::read_capacity10},
    {Operation::Read10, &ScsiDisk::read},
    {Operation::Write10, &ScsiDisk::write},
    {Operation::Seek10, &ScsiDisk::done},
    {Operation::WriteAndVerify10, &ScsiDisk::write},
    {Operation::Verify10, &ScsiDisk::verify},
    {Operation::SynchronizeCache10, &ScsiDisk::synchronize},
    {Operation::WriteSame10, &ScsiDisk::write_same},
    {Operation::Unmap, &ScsiDisk::unmap},
    {Operation::ModeSense10, &ScsiDisk::mode_sense},
    {Operation::Read16, &ScsiDisk::read},
    {Operation::Write16, &ScsiDisk::write},
    {Operation::WriteAndVerify16, &ScsiDisk::write},
    {Operation::Verify16, &ScsiDisk::verify},
    {Operation::SynchronizeCache16, &ScsiDisk::synchronize},
    {Operation::WriteSame16, &ScsiDisk::write_same},
    {Operation::ServiceActionIn16, &ScsiDisk::service_action_in},
    {Operation::Read12, &ScsiDisk::read},
    {Operation::Write12, &ScsiDisk::write},
    {Operation::WriteAndVerify12, &ScsiDisk::write},
    {Operation::Verify12, &ScsiDisk::verify},
};

Outcome ScsiDisk::execute(Command command, Transfer& transfer) {
  const auto* const row = std::ranges::find(kRows, static_cast<Operation>(command[0]), &Row::operation);
  if (attention_ != Sense{} && (row == std::end(kRows) || !row->answers_always))
    return Outcome::failed(std::exchange(attention_, {}));
  if (medium_ == nullptr) return Outcome::failed(kNoMedium);
  return row == std::end(kRows) ? Outcome::failed(kInvalidCommand) : (this->*row->act)(command, transfer);
}

Outcome ScsiDisk::done(Command, Transfer&) { return {}; }

Outcome ScsiDisk::request_sense(Command command, Transfer& transfer) {
  return answer(transfer, sense_data(std::exchange(attention_, {})), command[4]);
}

Outcome ScsiDisk::inquiry(Command command, Transfer& transfer) {
  const Identity identity = {.type = UnitType::Disk, .product = "DISK", .serial = serial_};
  std::vector<VitalPage> pages = {block_limits(), characteristics()};
  if (!medium_->read_only()) pages.push_back(provisioning());
  return inquire(command, transfer, identity, pages);
}

Outcome ScsiDisk::mode_sense(Command command, Transfer& transfer) {
  constexpr u8 kChangeable = 1, kSaved = 3;
  constexpr u8 kReadOnly = 0x80, kForceUnitAccess = 0x10;
  const bool is_long = static_cast<Operation>(command[0]) == Operation::ModeSense10;
  const u8 control = command[2] >> 6;
  if (control == kSaved) return Outcome::failed(kSavingNotSupported);
  const std::vector<u8> pages = mode_pages(command[2] & 0x3f, control == kChangeable);
  if (pages.empty()) return Outcome::failed(kInvalidField);
  std::vector<u8> descriptor;
  if (!(command[1] & 8)) {
    put(descriptor, std::min<u64>(blocks(), 0xffff'ffff), 4);
    put(descriptor, kBlockBytes, 4);
  }
  const std::size_t bytes = descriptor.size() + pages.size();
  const u8 specific = medium_->read_only() ? kReadOnly | kForceUnitAccess : kForceUnitAccess;
  std::vector<u8> out;
  if (is_long) {
    put(out, bytes + 6, 2);
    out.insert(out.end(), {0, specific, 0, 0});
    put(out, descriptor.size(), 2);
  } else {
    out = {static_cast<u8>(bytes + 3), 0, specific, static_cast<u8>(descriptor.size())};
  }
  out.insert(out.end(), descriptor.begin(), descriptor.end());
  out.insert(out.end(), pages.begin(), pages.end());
  return answer(transfer, out, is_long ? be16(command, 7) : command[4]);
}

Outcome ScsiDisk::read_capacity10(Command, Transfer& transfer) {
  std::vector<u8> out;
  put(out, std::min<u64>(blocks() - 1, 0xffff'ffff), 4);
  put(out, kBlockBytes, 4);
  return answer(transfer, out, out.size());
}

Outcome ScsiDisk::service_action_in(Command command, Transfer& transfer) {
  constexpr u8 kReadCapacity16 = 0x10, kProvisioned = 0x80, kReadsZeros = 0x40;
  if ((command[1] & 0x1f) != kReadCapacity16) return Outcome::failed(kInvalidField);
  std::vector<u8> out;
  put(out, blocks() - 1, 8);
  put(out, kBlockBytes, 4);
  out.resize(32);
  if (!medium_->read_only()) out[14] = kProvisioned | kReadsZeros;
  return answer(transfer, out, be32(command, 10));
}

// --- Data ---

ScsiDisk::Range ScsiDisk::range_of(Command command) {
  switch (command_bytes(command[0])) {
    case 6: return {be24(command, 1) & 0x1f'ffff, command[4] == 0 ? 256u : command[4]};
    case 10: return {be32(command, 2), be16(command, 7)};
    case 12: return {be32(command, 2), be32(command, 6)};
    default: return {be64(command, 2), be32(command, 10)};
  }
}

Outcome ScsiDisk::check(const Range& range) const {
  if (range.block > blocks() || range.count > blocks() - range.block)
    return Outcome::failed(kAddressOutOfRange);
  return {};
}

Outcome ScsiDisk::read(Command command, Transfer& transfer) {
  const Range range = range_of(command);
  const bool protection = command_bytes(command[0]) != 6 && command[1] >> 5 != 0;
  if (protection || range.count > kMaxTransfer) return Outcome::failed(kInvalidField);
  if (const Outcome out = check(range); out.kind != Outcome::Kind::Good) return out;
  u64 left = range.count * kBlockBytes;
  if (left > transfer.room()) return {Outcome::Kind::Overrun};
  for (u64 offset = range.block * kBlockBytes; left != 0;) {
    buffer_.resize(kBufferBytes);
    const std::span<u8> piece = std::span(buffer_).first(std::min<u64>(left, kBufferBytes));
    if (const BlockStatus status = medium_->read(offset, piece); status != BlockStatus::Ok)
      return Outcome::failed(sense_of(status, kReadError));
    if (!transfer.give(piece)) return {Outcome::Kind::TransferFailed};
    offset += piece.size();
    left -= piece.size();
  }
  return {};
}

Outcome ScsiDisk::write(Command command, Transfer& transfer) {
  constexpr u8 kForceUnitAccess = 8;
  const Range range = range_of(command);
  const bool is_short = command_bytes(command[0]) == 6;
  if ((!is_short && command[1] >> 5 != 0) || range.count > kMaxTransfer)
    return Outcome::failed(kInvalidField);
  if (medium_->read_only()) return Outcome::failed(kWriteProtected);
  if (const Outcome out = check(range); out.kind != Outcome::Kind::Good) return out;
  u64 left = range.count * kBlockBytes;
  if (left > transfer.offered()) return {Outcome::Kind::Overrun};
  for (u64 offset = range.block * kBlockBytes; left != 0;) {
    buffer_.resize(kBufferBytes);
    const std::span<u8> piece = std::span(buffer_).first(std::min<u64>(left, kBufferBytes));
    if (!transfer.take(piece)) return {Outcome::Kind::TransferFailed};
    if (const BlockStatus status = medium_->write(offset, piece); status != BlockStatus::Ok)
      return Outcome::failed(sense_of(status, kWriteError));
    offset += piece.size();
    left -= piece.size();
  }
  const auto operation = static_cast<Operation>(command[0]);
  const bool verified = operation == Operation::WriteAndVerify10 ||
                        operation == Operation::WriteAndVerify12 || operation == Operation::WriteAndVerify16;
  return verified || (!is_short && command[1] & kForceUnitAccess) ? flush() : Outcome{};
}

Outcome ScsiDisk::verify(Command command, Transfer&) {
  constexpr u8 kByteCheck = 6;
  if (command[1] & (0xe0 | kByteCheck)) return Outcome::failed(kInvalidField);
  return check(range_of(command));
}

Outcome ScsiDisk::synchronize(Command command, Transfer&) {
  const Outcome out = check(range_of(command));
  return out.kind == Outcome::Kind::Good ? flush() : out;
}

Outcome ScsiDisk::flush() {
  const BlockStatus status = medium_->flush();
  return status == BlockStatus::Ok ? Outcome{} : Outcome::failed(sense_of(status, kWriteError));
}

Outcome ScsiDisk::zero(const Range& range) {
  const BlockStatus status = medium_->discard(range.block * kBlockBytes, range.count * kBlockBytes);
  return status == BlockStatus::Ok ? Outcome{} : Outcome::failed(sense_of(status, kWriteError));
}

// SBC-3 5.43, 5.44.
Outcome ScsiDisk::write_same(Command command, Transfer& transfer) {
  constexpr u8 kAnchor = 0x10, kNoData = 1;
  const Range range = range_of(command);
  const bool no_data = command_bytes(command[0]) == 16 && command[1] & kNoData;
  if (command[1] & (0xe0 | kAnchor) || range.count == 0 || range.count > kMaxWriteSame)
    return Outcome::failed(kInvalidField);
  if (medium_->read_only()) return Outcome::failed(kWriteProtected);
  if (const Outcome out = check(range); out.kind != Outcome::Kind::Good) return out;
  std::vector<u8> block(kBlockBytes);
  if (!no_data) {
    if (transfer.offered() < kBlockBytes) return {Outcome::Kind::Overrun};
    if (!transfer.take(block)) return {Outcome::Kind::TransferFailed};
  }
  // What is freed reads as zeros.
  if (all_zero(block)) return zero(range);
  for (u64 i = 0; i < range.count; ++i) {
    const BlockStatus status = medium_->write((range.block + i) * kBlockBytes, block);
    if (status != BlockStatus::Ok) return Outcome::failed(sense_of(status, kWriteError));
  }
  return {};
}

// SBC-3 5.28: all ranges are looked at before the first is freed.
Outcome ScsiDisk::unmap(Command command, Transfer& transfer) {
  constexpr std::size_t kHeaderBytes = 8, kRangeBytes = 16;
  constexpr u8 kAnchor = 1;
  const u32 bytes = be16(command, 7);
  if (command[1] & kAnchor) return Outcome::failed(kInvalidField);
  if (medium_->read_only()) return Outcome::failed(kWriteProtected);
  if (bytes == 0) return {};
  if (bytes > transfer.offered()) return {Outcome::Kind::Overrun};
  std::vector<u8> list(bytes);
  if (!transfer.take(list)) return {Outcome::Kind::TransferFailed};
  if (bytes < kHeaderBytes) return Outcome::failed(kInvalidParameter);
  const std::size_t count = be16(list, 2) / kRangeBytes;
  if (kHeaderBytes + count * kRangeBytes > bytes || count > kMaxUnmapRanges)
    return Outcome::failed(kInvalidParameter);
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kHeaderBytes + i * kRangeBytes;
    const Range range = {be64(list, at), be32(list, at + 8)};
    if (range.count > kMaxUnmap) return Outcome::failed(kInvalidParameter);
    if (const Outcome out = check(range); out.kind != Outcome::Kind::Good) return out;
    ranges.push_back(range);
  }
  for (const Range& range : ranges)
    if (const Outcome out = zero(range); out.kind != Outcome::Kind::Good) return out;
  return {};
}

void ScsiDisk::serialize(Archive& archive) {
  archive.tag("scsi disk");
  archive.value(attention_.key);
  archive.value(attention_.code);
  archive.value(attention_.qualifier);
}

std::string ScsiDisk::debug_dump() const { return fmt::format("disk \"{}\" blocks={}", serial_, blocks()); }

}  // namespace reprise::devices::scsi
