#include "devices/p9/name_tree.h"

#include <algorithm>
#include <utility>

#include "devices/p9/message.h"

namespace reprise::devices::p9 {
namespace {

/// `name` in the folder `path`, which is "" for the root.
std::string below(std::string path, const std::string& name) {
  if (!path.empty()) path += '/';
  path += name;
  return path;
}

}  // namespace

void serialize_text(Archive& archive, std::string& text, u64 max_bytes) {
  std::vector<u8> bytes(text.begin(), text.end());
  archive.value(bytes, max_bytes);
  text.assign(bytes.begin(), bytes.end());
}

void NameTree::clear() {
  gone_.clear();
  known_.clear();
  keys_.clear();
  unbound_ = false;
  next_number_ = next_key_ = 1;
  root_ = std::make_unique<Node>();
  root_->key = next_key_++;
  root_->number = next_number_++;
  bytes_ = kNodeBytes;
}

std::optional<std::string> NameTree::path_of(const Node& node) const {
  std::vector<const Node*> names;
  for (const Node* at = &node; at != root_.get(); at = at->parent) {
    if (at->gone || at->parent == nullptr) return std::nullopt;
    names.push_back(at);
  }
  std::string path;
  for (auto at = names.rbegin(); at != names.rend(); ++at) path = below(std::move(path), (*at)->name);
  return path;
}

Node* NameTree::find(Node& folder, std::string_view name) {
  const auto found = folder.children.find(name);
  return found == folder.children.end() ? nullptr : found->second.get();
}

Node& NameTree::add(Node& folder, std::string_view name, u64 number) {
  auto node = std::make_unique<Node>();
  node->key = next_key_++;
  node->number = number;
  node->name = name;
  node->parent = &folder;
  bytes_ += kNodeBytes + name.size();
  return *(folder.children[std::string(name)] = std::move(node));
}

void NameTree::bind(Node& node, FileId id) {
  unbind(node);
  node.id = id;
  Known& known = known_[id];
  if (known.number != node.number) known = {node.number, 0};
  ++known.names;
}

void NameTree::unbind(Node& node) {
  if (!node.id) return;
  const auto known = known_.find(*node.id);
  node.id.reset();
  if (known == known_.end() || known->second.number != node.number) return;
  if (--known->second.names == 0) known_.erase(known);
}

/// Of a file that has another name already, or a new one.
u64 NameTree::number_of(FileId id) {
  if (unbound_) {
    unbound_ = false;
    bind_all(*root_, "");
  }
  const auto known = known_.find(id);
  return known != known_.end() ? known->second.number : next_number_++;
}

void NameTree::bind_all(Node& node, const std::string& path) {
  if (!node.id)
    if (const std::optional<FileId> id = identify_(path)) bind(node, *id);
  for (auto& [name, child] : node.children) bind_all(*child, below(path, name));
}

bool NameTree::is(Node& node, FileId id) {
  if (!node.id) bind(node, id);
  return node.id == id;
}

Node& NameTree::seen(Node& folder, std::string_view name, FileId id) {
  if (Node* const node = find(folder, name)) {
    if (is(*node, id)) return *node;
    remove(*node);
  }
  Node& node = add(folder, name, number_of(id));
  bind(node, id);
  return node;
}

Node& NameTree::made(Node& folder, std::string_view name, FileId id) {
  if (Node* const node = find(folder, name)) remove(*node);
  Node& node = add(folder, name, next_number_++);
  bind(node, id);
  return node;
}

Node& NameTree::linked(Node& folder, std::string_view name, const Node& file) {
  const std::optional<FileId> id = file.id;
  const u64 number = file.number;
  if (Node* const node = find(folder, name)) remove(*node);
  Node& node = add(folder, name, number);
  if (id) bind(node, *id);
  return node;
}

void NameTree::remove(Node& node, const ShareAttributes* folder) {
  if (node.parent == nullptr) return;
  const auto at = node.parent->children.find(node.name);
  std::unique_ptr<Node> owned = std::move(at->second);
  node.parent->children.erase(at);
  dissolve(std::move(owned), folder);
}

void NameTree::dissolve(std::unique_ptr<Node> node, const ShareAttributes* folder) {
  for (auto& [name, child] : node->children) dissolve(std::move(child), nullptr);
  node->children.clear();
  unbind(*node);
  node->parent = nullptr;
  node->gone = true;
  bytes_ -= node->name.size();
  node->name.clear();
  bytes_ -= kNodeBytes;
  if (node->users == 0) return;
  if (folder != nullptr) node->removed = std::make_unique<ShareAttributes>(*folder);
  bytes_ += bytes_of_gone(*node);
  gone_[node->key] = std::move(node);
}

void NameTree::stop_using(Node& node) {
  if (--node.users != 0 || !node.gone) return;
  bytes_ -= bytes_of_gone(node);
  gone_.erase(node.key);
}

unsigned NameTree::depth_of(const Node& node) const {
  unsigned depth = 0;
  for (const Node* at = &node; at->parent != nullptr; at = at->parent) ++depth;
  return depth;
}

unsigned NameTree::height_of(const Node& node) const {
  unsigned height = 0;
  for (const auto& [name, child] : node.children) height = std::max(height, 1 + height_of(*child));
  return height;
}

bool NameTree::can_move(const Node& node, const Node& folder) const {
  for (const Node* at = &folder; at != nullptr; at = at->parent)
    if (at == &node) return false;
  return depth_of(folder) + 1 + height_of(node) <= kMaxDepth;
}

void NameTree::move(Node& node, Node& folder, std::string_view name, const ShareAttributes* replaced) {
  Node* const there = find(folder, name);
  if (there == &node) return;
  const auto at = node.parent->children.find(node.name);
  std::unique_ptr<Node> owned = std::move(at->second);
  node.parent->children.erase(at);
  // Only now: to the guest it may be a folder that `node` was in, when somebody else has changed the host's.
  if (there != nullptr) remove(*there, replaced);
  bytes_ += name.size();
  bytes_ -= node.name.size();
  node.name = name;
  node.parent = &folder;
  folder.children[node.name] = std::move(owned);
}

void NameTree::sweep() { sweep_below(*root_); }

/// True when nothing is left below `node`.
bool NameTree::sweep_below(Node& node) {
  for (auto at = node.children.begin(); at != node.children.end();) {
    Node& child = *at->second;
    if (!sweep_below(child) || child.users != 0) {
      ++at;
      continue;
    }
    unbind(child);
    bytes_ -= kNodeBytes + child.name.size();
    at = node.children.erase(at);
  }
  return node.children.empty();
}

// --- State ---

void NameTree::serialize_node(Archive& archive, Node& node, unsigned depth) {
  archive.value(node.key);
  archive.value(node.number);
  u64 count = node.children.size();
  archive.value(count);
  if (!archive.loading()) {
    for (auto& [name, child] : node.children) {
      serialize_text(archive, child->name, kMaxNameBytes);
      serialize_node(archive, *child, depth + 1);
    }
    return;
  }
  if (node.key == 0 || node.key >= next_key_ || node.number == 0 || node.number >= next_number_ ||
      !keys_.emplace(node.key, &node).second || (count != 0 && depth == kMaxDepth))
    return archive.fail();
  for (u64 i = 0; i < count && archive.ok(); ++i) {
    std::string name;
    serialize_text(archive, name, kMaxNameBytes);
    if (!archive.ok() || !is_name(name) || find(node, name) != nullptr) return archive.fail();
    auto child = std::make_unique<Node>();
    child->name = name;
    child->parent = &node;
    bytes_ += kNodeBytes + name.size();
    serialize_node(archive, *(node.children[name] = std::move(child)), depth + 1);
  }
}

void NameTree::serialize_removed(Archive& archive, Node& node) {
  bool removed = node.removed != nullptr;
  archive.value(removed);
  if (!removed) return;
  if (archive.loading()) node.removed = std::make_unique<ShareAttributes>();
  ShareAttributes& was = *node.removed;
  for (u32* field : {&was.mode, &was.uid, &was.gid}) archive.value(*field);
  for (ShareTime* time : {&was.atime, &was.mtime, &was.ctime}) {
    archive.value(time->s);
    archive.value(time->ns);
  }
  if ((was.mode & share_mode::kType) != share_mode::kFolder) archive.fail();
}

void NameTree::serialize(Archive& archive) {
  archive.tag("p9 names");
  if (archive.loading()) clear();
  archive.value(next_number_);
  archive.value(next_key_);
  serialize_node(archive, *root_, 0);
  u64 count = gone_.size();
  archive.value(count);
  if (!archive.loading()) {
    for (auto& [key, node] : gone_) {
      serialize_node(archive, *node, 0);
      serialize_removed(archive, *node);
    }
    return;
  }
  unbound_ = true;
  for (u64 i = 0; i < count && archive.ok(); ++i) {
    auto node = std::make_unique<Node>();
    node->gone = true;
    Node& kept = *node;
    serialize_node(archive, kept, 0);
    serialize_removed(archive, kept);
    bytes_ += bytes_of_gone(kept);
    if (!kept.children.empty() || gone_.contains(kept.key)) {
      // Its pointer must not stay: the whole state is refused.
      archive.fail();
      break;
    }
    gone_[kept.key] = std::move(node);
  }
  if (!archive.ok()) clear();
}

Node* NameTree::by_key(u64 key) {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : found->second;
}

void NameTree::end_load() {
  keys_.clear();
  // Nothing else would ever let go of them.
  std::erase_if(gone_, [&](const auto& entry) {
    if (entry.second->users != 0) return false;
    bytes_ -= bytes_of_gone(*entry.second);
    return true;
  });
}

}  // namespace reprise::devices::p9
