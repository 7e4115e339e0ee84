// Initramfs: a root file system in memory for a Linux guest, as a cpio archive in the "newc" format (kernel:
// Documentation/driver-api/early-userspace/buffer-format.rst). The same content gives the same bytes: entries are sorted by
// name, owned by root, dated at the epoch and numbered in order. Devices need no rights on the host.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"

namespace reprise::verdict {

class Initramfs {
 public:
  /// Names are paths without a leading '/'. Folders above them are made; a name that is there already is replaced.
  /// `mode` is the permission bits.
  void add_folder(const std::string& name, u32 mode = 0755);
  void add_file(const std::string& name, std::string content, u32 mode = 0644);
  /// The content is that of a file of the host's, read when the archive is written.
  void add_host_file(const std::string& name, std::string host_path, u64 bytes, u32 mode);
  void add_link(const std::string& name, std::string target);
  void add_device(const std::string& name, u32 major, u32 minor, u32 mode = 0600);
  /// A folder of the host's and all below it, at the root. Sockets, FIFOs and devices are left out. Error: a sentence that
  /// names what cannot be read.
  Result<Done> add_tree(const std::string& host_folder);

  bool has(const std::string& name) const { return entries_.contains(name); }
  /// Of the archive, about.
  u64 bytes() const;

  using Sink = std::function<Result<Done>(std::span<const u8>)>;
  /// Error: the sink's, or a file of the host's that cannot be read or has another size than it had.
  Result<Done> write(const Sink& sink) const;

 private:
  struct Entry {
    u32 mode = 0;  // type and permission bits, as in st_mode
    std::string content;
    std::string host_path;  // not empty: the content is there
    u64 host_bytes = 0;
    u32 major = 0;
    u32 minor = 0;
  };
  void add(const std::string& name, Entry entry);

  std::map<std::string, Entry> entries_;
};

}  // namespace reprise::verdict
