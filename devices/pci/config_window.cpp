#include "devices/pci/config_window.h"

#include <algorithm>

#include "common/bits.h"

namespace reprise::devices {
namespace {

constexpr u64 kFunctionBytes = 4096;
constexpr u64 kFunctions = 256;  // of a bus
constexpr u64 kRegisterBytes = 256;

/// What one access has of registers: aligned, at most a dword.
struct Piece {
  unsigned shift;
  Width width;
};

/// The widest pieces that are aligned.
template <class Part>
void in_pieces(u64 offset, Width width, Part&& part) {
  const unsigned bytes = width_bytes(width);
  for (unsigned done = 0; done < bytes;) {
    const u64 at = offset + done;
    const unsigned left = bytes - done;
    const Width piece = at % 4 == 0 && left >= 4   ? Width::Dword
                        : at % 2 == 0 && left >= 2 ? Width::Word
                                                   : Width::Byte;
    part(at, Piece{8 * done, piece});
    done += width_bytes(piece);
  }
}

bool answers(u64 offset) { return offset % kFunctionBytes < kRegisterBytes; }

ConfigMechanism1::Address address_of(u64 offset) {
  const u64 function = offset / kFunctionBytes;
  return {static_cast<unsigned>(function / kFunctions), static_cast<unsigned>(function % kFunctions)};
}

}  // namespace

u64 ConfigWindow::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  in_pieces(offset, width, [&](u64 at, Piece piece) {
    const u64 part =
        answers(at) ? buses_.read(address_of(at), static_cast<u8>(at), piece.width) : width_mask(piece.width);
    value |= part << piece.shift;
  });
  return value;
}

void ConfigWindow::mmio_write(u64 offset, Width width, u64 value) {
  in_pieces(offset, width, [&](u64 at, Piece piece) {
    if (answers(at))
      buses_.write(address_of(at), static_cast<u8>(at), piece.width,
                   static_cast<u32>(value >> piece.shift & width_mask(piece.width)));
  });
}

}  // namespace reprise::devices
