// An image in a format that QEMU knows, through libnbd and a qemu-nbd of its own:
// docs/decisions/0006-qcow2-by-qemu-nbd.md.
//
// qemu-nbd gets a listening socket to which this process is connected already, and whose name is gone before
// it starts. It serves that one connection and ends when it closes, however this process ends; it writes what
// it was told before it ends.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "common/result.h"
#include "devices/backend.h"

namespace reprise::machine {

class NbdImage final : public devices::BlockBackend {
 public:
  enum class Access : u8 { ReadOnly, ReadWrite };
  /// False in a build without libnbd: nothing can be opened.
  static bool offered();
  /// `format` is qemu's name of the format ("qcow2").
  static Result<std::unique_ptr<NbdImage>> open(const std::string& path, const std::string& format,
                                                Access access);
  ~NbdImage() override;

  u64 bytes() const override;
  bool read_only() const override;
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override;
  devices::BlockStatus discard(u64 offset, u64 bytes) override;

 private:
  struct Connection;
  explicit NbdImage(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace reprise::machine
