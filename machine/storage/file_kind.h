// What a file is that was given in the wrong place: for sentences, never for decisions that a guest could see.
#pragma once

#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise::machine {

/// Places where files are given.
enum class FileUse : u8 { Disk, Floppy, Kernel, LinuxInitrd, Firmware };

struct FileKind {
  std::string_view what;    // "a Linux kernel"
  std::string_view advice;  // what to do with it: "give it as --kernel"
};

/// How many bytes misplaced_file wants to see; fewer are fine when the file is shorter.
inline constexpr u64 kFileKindBytes = u64{36} << 10;  // up to the volume descriptor of an ISO 9660 image

/// What the file that begins with `head` is, if that is known and cannot be right for `use`; else nullptr.
const FileKind* misplaced_file(std::span<const u8> head, FileUse use);

}  // namespace reprise::machine
