// NameTree: the files of a share that the guest has seen, by name, with the numbers that it knows them by. Numbers are given in
// order of first use and stay with a file when the guest renames it or gives it further names; a file that the guest makes
// always gets a new one, whatever the host's file system reuses.
//
// Which file of the host a name stands for (device and inode) is no state: after a load it is found out anew. So two
// copies of a folder look alike, and a state can go on with another copy.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/archive.h"
#include "devices/p9/share_backend.h"

namespace reprise::devices::p9 {

/// A file on the host: device and inode.
using FileId = std::pair<u64, u64>;

struct Node {
  u64 key = 0;     // its own
  u64 number = 0;  // of the file: one for all its names
  std::string name;
  Node* parent = nullptr;  // nullptr: the root, or its name is gone
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  u32 users = 0;
  bool gone = false;                         // the guest has removed this name
  std::unique_ptr<ShareAttributes> removed;  // gone, a folder: what it was last
  std::optional<FileId> id;                  // not known after a load
};

class NameTree {
 public:
  /// Names inside names.
  static constexpr unsigned kMaxDepth = 2048;
  static constexpr u64 kNodeBytes = 256;
  static constexpr u64 kRemovedBytes = 160;

  /// `identify` says which file a path stands for now.
  explicit NameTree(std::function<std::optional<FileId>(const std::string& path)> identify)
      : identify_(std::move(identify)) {
    clear();
  }

  /// Everything is forgotten, the next number too.
  void clear();
  Node& root() { return *root_; }
  /// Relative to the root; nullopt: the name is gone.
  std::optional<std::string> path_of(const Node& node) const;
  /// nullptr: nothing of that name was seen.
  Node* find(Node& folder, std::string_view name);

  /// `name` in `folder` is `id`. If it was another file, that one's name is gone.
  Node& seen(Node& folder, std::string_view name, FileId id);
  /// The guest has made it.
  Node& made(Node& folder, std::string_view name, FileId id);
  /// The guest has given `file` another name.
  Node& linked(Node& folder, std::string_view name, const Node& file);
  /// `node` is `id`: false when it is known to be another.
  bool is(Node& node, FileId id);
  /// The guest has removed the name. Names inside are gone with it. `folder`: it was one, and what it was last.
  void remove(Node& node, const ShareAttributes* folder = nullptr);
  /// Not too deep for names in it.
  bool has_room_in(const Node& folder) const { return depth_of(folder) < kMaxDepth; }
  /// Could `node` go there? Not into itself, and not too deep.
  bool can_move(const Node& node, const Node& folder) const;
  /// The guest has renamed it; what was there is gone. `replaced`: it was a folder, and what it was last.
  void move(Node& node, Node& folder, std::string_view name, const ShareAttributes* replaced = nullptr);

  void use(Node& node) { ++node.users; }
  void stop_using(Node& node);

  /// What it takes of memory, about.
  u64 bytes() const { return bytes_; }
  /// Forgets the names that nobody uses. Their files get new numbers when they are seen again.
  void sweep();

  /// Without users: whoever uses nodes names them by their keys afterwards.
  void serialize(Archive& archive);
  /// Between a load and end_load(); nullptr: there is none.
  Node* by_key(u64 key);
  void end_load();

 private:
  struct Known {
    u64 number = 0;
    u64 names = 0;
  };

  Node& add(Node& folder, std::string_view name, u64 number);
  void bind(Node& node, FileId id);
  void unbind(Node& node);
  u64 number_of(FileId id);
  /// Takes what is left of `node` out: used nodes stay, without a name.
  void dissolve(std::unique_ptr<Node> node, const ShareAttributes* folder);
  bool sweep_below(Node& node);
  void bind_all(Node& node, const std::string& path);
  unsigned depth_of(const Node& node) const;
  unsigned height_of(const Node& node) const;
  void serialize_node(Archive& archive, Node& node, unsigned depth);
  void serialize_removed(Archive& archive, Node& node);
  static u64 bytes_of_gone(const Node& node) { return kNodeBytes + (node.removed ? kRemovedBytes : 0); }
  void collect(Node& node);

  std::function<std::optional<FileId>(const std::string& path)> identify_;
  std::unique_ptr<Node> root_;
  std::map<u64, std::unique_ptr<Node>> gone_;  // by key: removed, still used
  std::map<FileId, Known> known_;
  std::map<u64, Node*> keys_;  // while loading
  bool unbound_ = false;       // a load has left nodes without id
  u64 next_number_ = 1;
  u64 next_key_ = 1;
  u64 bytes_ = 0;
};

/// A short text; names above all.
void serialize_text(Archive& archive, std::string& text, u64 max_bytes);

}  // namespace reprise::devices::p9
