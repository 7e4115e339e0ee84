#include "machine/gdb/packet.h"

#include <fmt/format.h>

namespace reprise::machine::gdb {
namespace {

constexpr u8 kInterrupt = 0x03;
constexpr u8 kEscape = '}';
constexpr u8 kEscapeFlip = 0x20;

/// Negative: none.
int digit_of(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

}  // namespace

std::string frame(std::string_view payload) {
  std::string text = "$";
  u8 sum = 0;
  const auto put = [&](char character) {
    text += character;
    sum = static_cast<u8>(sum + static_cast<u8>(character));
  };
  for (const char character : payload) {
    if (character == '#' || character == '$' || character == '}' || character == '*') {
      put(static_cast<char>(kEscape));
      put(static_cast<char>(character ^ kEscapeFlip));
    } else {
      put(character);
    }
  }
  return text + fmt::format("#{:02x}", sum);
}

void PacketReader::begin() {
  state_ = State::Payload;
  payload_.clear();
  too_long_ = false;
  sum_ = 0;
}

void PacketReader::add(u8 byte) {
  if (payload_.size() < kMaxPayloadBytes)
    payload_ += static_cast<char>(byte);
  else
    too_long_ = true;
}

std::optional<PacketReader::Event> PacketReader::take(u8 byte) {
  switch (state_) {
    case State::Between:
      if (byte == '$') begin();
      if (byte == kInterrupt) return Event{Event::Kind::Interrupt};
      return std::nullopt;
    case State::Payload:
      // A packet that was cut off, and the next one.
      if (byte == '$') {
        begin();
        return std::nullopt;
      }
      if (byte == '#') {
        state_ = State::HighDigit;
        return std::nullopt;
      }
      sum_ = static_cast<u8>(sum_ + byte);
      if (byte == kEscape)
        state_ = State::Escaped;
      else
        add(byte);
      return std::nullopt;
    case State::Escaped:
      sum_ = static_cast<u8>(sum_ + byte);
      add(byte ^ kEscapeFlip);
      state_ = State::Payload;
      return std::nullopt;
    case State::HighDigit:
      claimed_ = digit_of(static_cast<char>(byte));
      state_ = State::LowDigit;
      return std::nullopt;
    case State::LowDigit: break;
  }
  const int low = digit_of(static_cast<char>(byte));
  state_ = State::Between;
  if (claimed_ < 0 || low < 0 || claimed_ * 16 + low != sum_) return Event{Event::Kind::Corrupt};
  if (too_long_) return Event{Event::Kind::TooLong};
  return Event{Event::Kind::Packet, std::move(payload_)};
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<u8>(byte));
  return text;
}

std::optional<std::string> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = digit_of(digits[i]), low = digit_of(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::optional<u64> number_of(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  u64 value = 0;
  for (const char character : digits) {
    const int digit = digit_of(character);
    if (digit < 0 || value >> 60 != 0) return std::nullopt;
    value = value << 4 | static_cast<u64>(digit);
  }
  return value;
}

}  // namespace reprise::machine::gdb
