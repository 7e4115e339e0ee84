// Locks on image files, so that two processes never write one image, and none reads what another writes.
//
// They are QEMU's own (its block/file-posix.c): a process holds shared locks on single bytes of the file, one
// for each thing it does (100: reads, 101: writes) and one for each thing that others must not do (201:
// write, 203: resize). So an image in use by QEMU is seen, and QEMU sees ours. Nothing is ever written at
// those offsets, and the locks end with the process.
#pragma once

#include <chrono>

#include "common/types.h"

namespace reprise::machine {

enum class ImageUse : u8 { Read, Write };
enum class LockResult : u8 { Locked, Busy, Unsupported };

/// A process that was killed lets go of its locks within this time, and so does its qemu-nbd.
constexpr std::chrono::milliseconds kLockPatience{2000};

/// Takes the locks on an open file; they last until it is closed. Waits up to `patience` for a process that
/// is just ending. Unsupported: the file system has no locks.
LockResult lock_image(int fd, ImageUse use, std::chrono::milliseconds patience = kLockPatience);

}  // namespace reprise::machine
