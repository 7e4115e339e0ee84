// Packets of gdb's remote protocol on the wire: "$payload#checksum", acknowledgements, the interrupt byte.
// GDB manual, appendix E.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::machine::gdb {

/// Payloads of clients that are longer are refused. Ours are at most twice as long, for hexadecimal digits.
inline constexpr std::size_t kMaxPayloadBytes = 0x4000;

/// The packet that carries `payload`: binary bytes are escaped.
std::string frame(std::string_view payload);

/// What a client sent, taken apart. Holds at most one payload, whatever comes.
class PacketReader {
 public:
  struct Event {
    enum class Kind : u8 {
      Packet,     // `payload`, its escapes undone
      Corrupt,    // one with another checksum, or none
      TooLong,    // one beyond kMaxPayloadBytes
      Interrupt,  // the byte 03h between packets
    };
    Kind kind;
    std::string payload = {};
  };

  /// Takes the next byte. Acknowledgements, and what is no part of a packet, are nothing to answer.
  std::optional<Event> take(u8 byte);

 private:
  enum class State : u8 { Between, Payload, Escaped, HighDigit, LowDigit };
  void begin();
  void add(u8 byte);

  State state_ = State::Between;
  std::string payload_;
  bool too_long_ = false;
  u8 sum_ = 0;
  int claimed_ = 0;  // negative: not hexadecimal
};

/// Two digits for each byte.
std::string to_hex(std::string_view bytes);
/// Nothing when `digits` are not pairs of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view digits);
/// A number in hexadecimal digits, as the protocol has them everywhere. Nothing for none, another character, or more than 64
/// bits.
std::optional<u64> number_of(std::string_view digits);

}  // namespace reprise::machine::gdb
