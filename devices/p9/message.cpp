#include "devices/p9/message.h"

#include "devices/p9/share_backend.h"

namespace reprise::devices::p9 {

Header read_header(std::span<const u8> bytes) {
  Reader in(bytes.first(kHeaderBytes));
  Header header;
  header.size = in.take32();
  header.type = in.take8();
  header.tag = in.take16();
  return header;
}

Qid qid_of(u32 mode, u64 number) {
  const u32 type = mode & share_mode::kType;
  return {static_cast<u8>(type == share_mode::kFolder ? Qid::kFolder
                          : type == share_mode::kLink ? Qid::kLink
                                                      : 0),
          number};
}

u64 Reader::number(unsigned count) {
  u64 value = 0;
  const std::span<const u8> taken = bytes(count);
  for (std::size_t i = 0; i < taken.size(); ++i) value |= u64{taken[i]} << (8 * i);
  return value;
}

std::span<const u8> Reader::bytes(u32 count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    return {};
  }
  const std::span<const u8> taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::string Reader::string() {
  const std::span<const u8> text = bytes(take16());
  return {text.begin(), text.end()};
}

void Writer::number(u64 value, unsigned count) {
  if (left() < count) {
    ok_ = false;
    return;
  }
  for (unsigned i = 0; i < count; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
}

void Writer::string(std::string_view text) {
  if (text.size() > 0xffff) {
    ok_ = false;
    return;
  }
  put16(text.size());
  bytes({reinterpret_cast<const u8*>(text.data()), text.size()});
}

void Writer::bytes(std::span<const u8> more) {
  if (left() < more.size())
    ok_ = false;
  else
    bytes_.insert(bytes_.end(), more.begin(), more.end());
}

void Writer::patch32(std::size_t at, u32 value) {
  for (unsigned i = 0; i < 4; ++i) bytes_.at(at + i) = static_cast<u8>(value >> (8 * i));
}

void Writer::qid(const Qid& qid) {
  put8(qid.type);
  put32(0);  // the version, by which nobody can tell that a file has changed
  put64(qid.number);
}

std::vector<u8> Writer::finish(u8 type, u16 tag) && {
  const u64 header = bytes_.size() | u64{type} << 32 | u64{tag} << 40;
  for (unsigned i = 0; i < kHeaderBytes; ++i) bytes_[i] = static_cast<u8>(header >> (8 * i));
  return std::move(bytes_);
}

std::vector<u8> error_reply(u16 tag, u32 error) {
  Writer out(kErrorBytes);
  out.put32(error);
  return std::move(out).finish(static_cast<u8>(Type::Lerror) + 1, tag);
}

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

}  // namespace reprise::devices::p9
