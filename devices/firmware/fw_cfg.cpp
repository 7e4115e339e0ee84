#include "devices/firmware/fw_cfg.h"

#include <algorithm>
#include <array>

#include "common/check.h"
#include "common/hash.h"

namespace reprise::devices {
namespace {

constexpr u16 kFirstFileKey = 0x20;
constexpr u16 kKeyMask = 0x3fff | 0x8000;  // bit 14: write, which no item takes

constexpr u32 kIdTraditional = 1u << 0;
constexpr u32 kIdDma = 1u << 1;

// The DMA request's control word.
constexpr u32 kDmaError = 1u << 0;
constexpr u32 kDmaRead = 1u << 1;
constexpr u32 kDmaSkip = 1u << 2;
constexpr u32 kDmaSelect = 1u << 3;
constexpr u32 kDmaWrite = 1u << 4;

constexpr u64 kDmaSignature = 0x51454d55'20434647;  // "QEMU CFG"

u64 from_big_endian(const u8* bytes, unsigned count) {
  u64 value = 0;
  for (unsigned i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

void put_big_endian(std::vector<u8>& out, u64 value, unsigned count) {
  for (unsigned i = count; i-- > 0;) out.push_back(static_cast<u8>(value >> (8 * i)));
}

std::vector<u8> little_endian(u64 value, unsigned count) {
  std::vector<u8> bytes(count);
  for (unsigned i = 0; i < count; ++i) bytes[i] = static_cast<u8>(value >> (8 * i));
  return bytes;
}

constexpr u32 swap32(u32 value) { return __builtin_bswap32(value); }

}  // namespace

FwCfg::FwCfg(DmaPort& dma) : dma_(dma) {
  set(Key::Signature, {'Q', 'E', 'M', 'U'});
  set_number(Key::Id, kIdTraditional | kIdDma, 4);
  update_directory();
}

void FwCfg::set_number(Key key, u64 value, unsigned bytes) { set(key, little_endian(value, bytes)); }

void FwCfg::set_file(const std::string& file_name, std::vector<u8> bytes) {
  CHECK(file_name.size() <= kMaxNameBytes);
  const u64 digest = hash64(bytes);
  files_[file_name] = {.bytes = std::move(bytes), .digest = digest};
  update_directory();
}

void FwCfg::replace_file(const std::string& file_name, std::vector<u8> bytes) {
  const auto found = files_.find(file_name);
  CHECK(found != files_.end() && found->second.bytes.size() == bytes.size());
  found->second.bytes = std::move(bytes);
}

void FwCfg::set_file_number(const std::string& file_name, u64 value, unsigned bytes) {
  set_file(file_name, little_endian(value, bytes));
}

void FwCfg::set_file_after_reset(const std::string& file_name, std::vector<u8> bytes) {
  const auto found = files_.find(file_name);
  CHECK(found != files_.end() && found->second.bytes.size() == bytes.size());
  found->second.digest = hash64(bytes, found->second.digest);
  found->second.later = std::move(bytes);
}

const std::vector<u8>* FwCfg::file(const std::string& file_name) const {
  const auto found = files_.find(file_name);
  return found == files_.end() ? nullptr : &content(found->second);
}

/// A big-endian count, then per file: size, selector, reserved, name of 56 bytes.
void FwCfg::update_directory() {
  std::vector<u8> directory;
  put_big_endian(directory, files_.size(), 4);
  u16 key = kFirstFileKey;
  for (const auto& [file_name, content] : files_) {
    put_big_endian(directory, content.bytes.size(), 4);
    put_big_endian(directory, key++, 2);
    put_big_endian(directory, 0, 2);
    const std::size_t end = directory.size() + kMaxNameBytes + 1;
    directory.insert(directory.end(), file_name.begin(), file_name.end());
    directory.resize(end);
  }
  set(Key::FileDirectory, std::move(directory));
}

void FwCfg::reset(ResetKind kind) {
  key_ = 0;
  position_ = 0;
  dma_high_ = 0;
  was_reset_ = kind != ResetKind::PowerOn;
}

u64 FwCfg::content_digest() const {
  u64 digest = 0;
  for (const auto& [key, bytes] : items_) digest = hash64(bytes, digest + key);
  for (const auto& [name, content] : files_)
    digest = hash64({reinterpret_cast<const u8*>(name.data()), name.size()}, digest + content.digest);
  return digest;
}

void FwCfg::serialize(Archive& archive) {
  archive.tag("fw_cfg");
  archive.value(key_);
  archive.value(position_);
  archive.value(dma_high_);
  archive.value(was_reset_);
}

void FwCfg::select(u16 key) {
  key_ = key & kKeyMask;
  position_ = 0;
}

const std::vector<u8>* FwCfg::selected() const {
  if (key_ >= kFirstFileKey && key_ - kFirstFileKey < static_cast<int>(files_.size()))
    return &content(std::next(files_.begin(), key_ - kFirstFileKey)->second);
  const auto found = items_.find(key_);
  return found == items_.end() ? nullptr : &found->second;
}

u8 FwCfg::next_byte() {
  const std::vector<u8>* item = selected();
  return item && position_ < item->size() ? (*item)[position_++] : 0;
}

u32 FwCfg::read_selector(u16 offset, Width width) {
  if (offset == 1) return next_byte();
  return static_cast<u32>(width_mask(width));
}

void FwCfg::write_selector(u16 offset, Width width, u32 value) {
  if (offset == 0 && width == Width::Word) select(static_cast<u16>(value));
}

u32 FwCfg::read_dma(u16 offset, Width width) {
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width) && offset + i < 8; ++i)
    value |= static_cast<u32>(kDmaSignature >> (8 * (7 - (offset + i))) & 0xff) << (8 * i);
  return value;
}

void FwCfg::write_dma(u16 offset, Width width, u32 value) {
  if (width != Width::Dword) return;
  if (offset == 0) {
    dma_high_ = swap32(value);
  } else if (offset == 4) {
    const u64 phys = u64{dma_high_} << 32 | swap32(value);
    dma_high_ = 0;
    run_dma(phys);
  }
}

void FwCfg::run_dma(u64 phys) {
  std::array<u8, 16> request{};
  if (!dma_.dma_read(phys, request)) return;
  const u32 control = static_cast<u32>(from_big_endian(&request[0], 4));
  const u32 bytes = static_cast<u32>(from_big_endian(&request[4], 4));
  const u64 address = from_big_endian(&request[8], 8);
  if (control & kDmaSelect) select(static_cast<u16>(control >> 16));
  u32 outcome = 0;
  if (control & kDmaRead) {
    if (!copy_out(address, bytes)) outcome = kDmaError;
  } else if (control & kDmaWrite) {
    outcome = kDmaError;
  } else if (control & kDmaSkip) {
    const u64 end = selected() ? selected()->size() : 0;
    position_ = static_cast<u32>(std::min<u64>(u64{position_} + bytes, end));
  }
  std::vector<u8> answer;
  put_big_endian(answer, outcome, 4);
  dma_.dma_write(phys, answer);
}

bool FwCfg::copy_out(u64 phys, u32 bytes) {
  static constexpr std::vector<u8>::size_type kChunk = 64 * 1024;
  const std::vector<u8>* item = selected();
  bool all_ram = true;
  if (item && position_ < item->size()) {
    const u32 count = static_cast<u32>(std::min<u64>(bytes, item->size() - position_));
    all_ram &= dma_.dma_write(phys, std::span(*item).subspan(position_, count));
    position_ += count;
    phys += count;
    bytes -= count;
  }
  const std::vector<u8> zeros(std::min<u64>(bytes, kChunk));
  while (bytes > 0 && all_ram) {
    const u32 count = static_cast<u32>(std::min<u64>(bytes, zeros.size()));
    all_ram &= dma_.dma_write(phys, std::span(zeros).first(count));
    phys += count;
    bytes -= count;
  }
  return all_ram;
}

}  // namespace reprise::devices
