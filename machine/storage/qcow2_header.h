// The header of a qcow2 image: enough to refuse damage in one sentence and to name what the image refers to.
// QEMU's docs/interop/qcow2.txt. The content is qemu-nbd's business.
#pragma once

#include <span>
#include <string>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

struct Qcow2Header {
  u32 version = 0;
  u64 virtual_bytes = 0;
  u64 cluster_bytes = 0;
  bool dirty = false;    // reference counts must be rebuilt; done by who opens it for writing
  bool corrupt = false;  // may not be written until it is repaired
  bool encrypted = false;
  std::string backing_file;  // as written in the image; empty: none
};

/// How many bytes of the file parse_qcow2_header wants; fewer when the file is shorter.
constexpr u64 kQcow2HeadBytes = 65536;

/// `head` is the file's beginning, `file_bytes` its size. The error says what is wrong with the header
/// ("its cluster size is impossible"), without the file's name.
Result<Qcow2Header> parse_qcow2_header(std::span<const u8> head, u64 file_bytes);

}  // namespace reprise::machine
