// FilePieces: pieces of a file's content that lie in another file, a recording.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "devices/backend.h"
#include "machine/storage/disk_config.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/read_only_image.h"

namespace reprise::machine {

/// Offsets and sizes are bytes.
class FilePieces {
 public:
  explicit FilePieces(std::shared_ptr<const HostFd> holder) : holder_(std::move(holder)) {}

  /// [offset, offset + bytes) lies at `at` in the holder; nullopt: it is zeros. What is known already stays as it is.
  /// False: no file has such a range.
  bool add(u64 offset, u64 bytes, std::optional<u64> at);
  /// How many bytes from `offset` on, at most `limit` (above 0), are all known or all not; `known` says which.
  u64 run(u64 offset, u64 limit, bool& known) const;
  /// Reads what is known.
  devices::BlockStatus read(u64 offset, std::span<u8> into) const;

 private:
  struct Piece {
    u64 bytes = 0;
    std::optional<u64> at;
  };
  using Pieces = std::map<u64, Piece>;
  /// The last piece that begins at or before `offset`, if it reaches beyond.
  Pieces::const_iterator piece_at(u64 offset) const;

  std::shared_ptr<const HostFd> holder_;
  Pieces pieces_;  // by offset; none overlaps another
};

/// By the file's name, from /.
using PiecesByFile = std::map<std::string, std::shared_ptr<FilePieces>>;

/// A file that a recording has, as far as its run needs it.
struct PackedFile {
  u64 bytes = 0;                        // of a disk's content, or of a file
  std::optional<DiskMedia> media = {};  // of an image; nullopt: it is another file
  std::string format = {};              // of an image: OpenedImage
  u64 file_bytes = 0;
  i64 modified_unix_ns = 0;
  bool operator==(const PackedFile&) const = default;
};

/// What a recording has of files, by their whole names.
struct RecordedContent {
  PiecesByFile pieces;
  std::map<std::string, PackedFile> packed;  // empty: the run's files are needed
};

/// An image as it was at the beginning of a run that has written to it since. It is never written.
class EarlierImage final : public ReadOnlyImage {
 public:
  EarlierImage(std::unique_ptr<devices::BlockBackend> image, std::shared_ptr<const FilePieces> pieces)
      : image_(std::move(image)), pieces_(std::move(pieces)) {}

  u64 bytes() const override { return image_->bytes(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;

 private:
  std::unique_ptr<devices::BlockBackend> image_;
  const std::shared_ptr<const FilePieces> pieces_;
};

}  // namespace reprise::machine
