#include "machine/snapshot/disk_state.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/bits.h"
#include "common/hash.h"
#include "common/zeros.h"

namespace reprise::machine {
namespace {

// {offset: u64, bytes: u64, kind: u64, the bytes if kind is kData} ..., then bytes 0.
constexpr u64 kData = 0;
constexpr u64 kZeros = 1;
constexpr u64 kPieceBytes = 64 * 1024;
constexpr u64 kMaxZerosBytes = u64{1} << 40;

}  // namespace

u64 image_sample(devices::BlockBackend& image) {
  constexpr u64 kPieces = 64;
  constexpr u64 kSampleBytes = 4096;
  const u64 bytes = image.bytes();
  std::array<u8, 8> size;
  write_unaligned<u64>(size.data(), bytes);
  u64 digest = hash64(size);
  std::array<u8, kSampleBytes> sample;
  for (u64 i = 0; i < kPieces && bytes != 0; ++i) {
    const u64 offset = align_down(bytes / kPieces * i, devices::BlockBackend::kSectorBytes);
    const std::span<u8> piece = std::span(sample).first(std::min(kSampleBytes, bytes - offset));
    (void)image.read(offset, piece);  // zeros where it cannot be read
    digest = hash64(piece, digest);
  }
  return digest;
}

void save_overlay(StateWriter& writer, devices::BlockGenerations& overlay,
                  devices::BlockGenerations::Generation generation) {
  std::vector<u8> piece;
  u64 at = 0;
  while (const auto range = overlay.next_written(generation, at)) {
    at = range->offset + range->bytes;
    for (u64 done = 0; done < range->bytes; done += piece.size()) {
      const u64 offset = range->offset + done;
      piece.resize(std::min(kPieceBytes, range->bytes - done));
      // What the host cannot read the guest could not either.
      (void)overlay.read_as_of(generation, offset, piece);
      if (all_zero(piece))
        save_zeros(writer, {offset, piece.size()});
      else
        save_piece(writer, offset, piece);
    }
  }
  end_pieces(writer);
}

void save_piece(StateWriter& writer, u64 offset, std::span<const u8> content) {
  for (const u64 number : {offset, u64{content.size()}, kData}) writer.number(number);
  writer.bytes(content);
}

void save_zeros(StateWriter& writer, const DiskRange& range) {
  for (u64 done = 0; done < range.bytes;) {
    const u64 bytes = std::min(range.bytes - done, kMaxZerosBytes);
    for (const u64 number : {range.offset + done, bytes, kZeros}) writer.number(number);
    done += bytes;
  }
}

void end_pieces(StateWriter& writer) {
  for (const u64 end : {u64{0}, u64{0}, kData}) writer.number(end);
}

void load_overlay(StateReader& reader, devices::BlockBackend& disk, devices::BlockGenerations& overlay) {
  overlay.clear();
  std::vector<u8> piece;
  while (reader.ok()) {
    const u64 offset = reader.number(), bytes = reader.number(), kind = reader.number();
    if (bytes == 0) return;
    const bool fits = kind == kData ? bytes <= kPieceBytes : kind == kZeros && bytes <= kMaxZerosBytes;
    if (!fits) return reader.fail("What it says of a disk is damaged.");
    devices::BlockStatus status = devices::BlockStatus::Ok;
    if (kind == kData) {
      piece.resize(bytes);
      reader.bytes(piece);
      if (!reader.ok()) return;
      status = disk.write(offset, piece);
    } else {
      status = disk.discard(offset, bytes);
    }
    if (status == devices::BlockStatus::OutOfRange) return reader.fail("What it says of a disk is damaged.");
    if (status != devices::BlockStatus::Ok)
      return reader.fail("What was written to its disks does not fit into TMPDIR (else /tmp).");
  }
}

}  // namespace reprise::machine
