// HostShare: a folder of the host's as a server of shared files sees it. docs/shares.md.
//
// Only regular files and folders of the host are ever opened. Devices, FIFOs and sockets that the guest makes are empty files
// with an attribute; set-user-ID and set-group-ID never reach the host's files.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>

#include "devices/p9/share_backend.h"
#include "machine/share/host_folder.h"
#include "machine/share/share_config.h"

namespace reprise::machine {

class HostShare final : public devices::ShareBackend {
 public:
  /// Open files of the guest's at a time: the server opens half as many, but for those without a name.
  static constexpr std::size_t kMaxHandles = 512;
  /// What the names in one folder may take.
  static constexpr u64 kMaxListBytes = 64 << 20;

  HostShare(HostFolder folder, const ShareConfig& config)
      : folder_(std::move(folder)),
        read_only_(config.read_only),
        fixed_times_(config.fixed_times),
        owner_(config.owner) {}

  devices::ShareAnswer ask(const devices::ShareQuestion& question) override;

 private:
  using Question = devices::ShareQuestion;
  using Answer = devices::ShareAnswer;
  using Attributes = devices::ShareAttributes;
  /// What an attribute of the host's file keeps for the guest.
  struct Kept {
    u32 uid = 0;
    u32 gid = 0;
    u32 mode = 0;  // with the type
    u64 rdev = 0;
  };
  /// An errno; 0: done.
  using Errno = int;

  bool refused(const Question& question) const;
  Answer answer(const Question& question);

  Answer stat(const Question& question);
  Answer list(const Question& question);
  Answer open(const Question& question);
  Answer create(const Question& question);
  Answer read(const Question& question);
  Answer write(const Question& question);
  Answer sync(const Question& question);
  Answer set(const Question& question);
  Answer make_folder(const Question& question);
  Answer make_link(const Question& question);
  Answer make_node(const Question& question);
  Answer link(const Question& question);
  Answer rename(const Question& question);
  Answer remove(const Question& question, int flags);
  Answer read_link(const Question& question);
  Answer list_xattrs(const Question& question);
  Answer get_xattr(const Question& question);
  Answer set_xattr(const Question& question);
  Answer remove_xattr(const Question& question);
  Answer space();

  /// What `path` names, with `flags`, if it is the file that is expected.
  OpenedFd open_expected(const Question& question, int flags) const;
  /// The descriptor of the file in question: its handle's, or one that `owned` then holds, good for O_PATH.
  int file_of(const Question& question, OpenedFd& owned, Errno& error);
  /// A regular file, or a folder if `folders`, opened for content.
  OpenedFd open_content(const Question& question, int flags, bool folders) const;
  Attributes attributes_of(int fd, const struct stat& host) const;
  Answer attributes_answer(int fd) const;
  std::optional<Kept> kept_of(int fd) const;
  Errno keep(int fd, const Kept& kept) const;
  /// Makes mode and owner of the file `fd` look like `wanted` to the guest.
  Errno give(int fd, const struct stat& host, const Attributes& wanted, bool owner_too) const;
  Errno truncate(const Question& question);
  Errno set_times(int fd, const Question& question) const;

  const HostFolder folder_;
  const bool read_only_;
  const bool fixed_times_;
  const ShareOwner owner_;
  std::map<u32, HostFd> handles_;
};

}  // namespace reprise::machine
