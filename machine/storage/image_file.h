// The file behind an image: opened, looked at, and refused in one sentence when it cannot be a disk.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "machine/storage/file_kind.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/image_probe.h"
#include "machine/storage/qcow2_header.h"

namespace reprise::machine {

enum class FileAccess : u8 { Read, ReadWrite };

struct ImageFile {
  std::string path;
  HostFd fd;
  u64 file_bytes = 0;       // size of the file or block device
  u64 allocated_bytes = 0;  // what it takes on the host's disk
  i64 modified_unix_ns = 0;
  bool block_device = false;
  ImageKind kind = ImageKind::Raw;
  bool iso9660 = false;
};

/// `what` is how the user knows it: "disk image", "floppy image".
Result<ImageFile> open_image_file(const std::string& what, const std::string& path, FileAccess access);

/// The header of an image whose kind is Qcow2. The error names the file.
Result<Qcow2Header> read_qcow2_header(const ImageFile& file);

/// Whether the user can say format= of it.
enum class FormatKey : u8 { Taken, Unknown };

/// An image with a format that cannot be used: one sentence that says which it is and what to do.
Error foreign_format_error(const std::string& what, const ImageFile& file, FormatKey key);
/// An error when a raw image begins as something that no disk begins as: a kernel, an archive.
Result<Done> check_is_medium(const std::string& what, const ImageFile& file, FileUse use, FormatKey key);

/// The path of `backing`, as written in `image_path`'s header. An error when it is no local file.
Result<std::string> backing_path_of(const std::string& image_path, const std::string& backing);

/// The files that a qcow2 image refers to, nearest first. Each exists, and no loop is formed.
Result<std::vector<std::string>> backing_chain_of(const ImageFile& file);

/// True when both paths lead to one file.
bool is_same_file(const std::string& a, const std::string& b);

}  // namespace reprise::machine
