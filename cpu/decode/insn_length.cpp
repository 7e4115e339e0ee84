// SDM 2A chapter 2 and 2D appendix A. What those leave blank has the length that a Xeon of the Sapphire
// Rapids feature set gives it.
#include "cpu/decode/insn_length.h"

#include <string_view>

namespace reprise::cpu {
namespace {

// What follows an opcode: '-' nothing; immediates b 1 byte, w 2, z 2 or 4 by the operand size, j the same
// (always 4 in 64-bit mode), v up to 8 by the operand size, p far pointer, e ENTER's, a an address. Upper
// case: a ModRM byte and M nothing more, B 1 byte, Z 2 or 4, F and G those of group 3, R registers whatever
// its mod field says.
constexpr std::string_view kOneByte =
    "MMMMbz--MMMMbz--"
    "MMMMbz--MMMMbz--"
    "MMMMbz--MMMMbz--"
    "MMMMbz--MMMMbz--"
    "----------------"
    "----------------"
    "--MM----zZbB----"
    "bbbbbbbbbbbbbbbb"
    "BZBBMMMMMMMMMMMM"
    "----------p-----"
    "aaaa----bz------"
    "bbbbbbbbvvvvvvvv"
    "BBw-MMBZe-w--b--"
    "MMMMbb--MMMMMMMM"
    "bbbbbbbbjjpb----"
    "------FG------MM";
constexpr std::string_view kTwoByte =
    "MMMM---------M--"
    "MMMMMMMMMMMMMMMM"
    "RRRR----MMMMMMMM"
    "----------------"
    "MMMMMMMMMMMMMMMM"
    "MMMMMMMMMMMMMMMM"
    "MMMMMMMMMMMMMMMM"
    "BBBBMMM-MMMMMMMM"
    "jjjjjjjjjjjjjjjj"
    "MMMMMMMMMMMMMMMM"
    "---MBMMM---MBMMM"
    "MMMMMMMMMMBMMMMM"
    "MMBMBBBM--------"
    "MMMMMMMMMMMMMMMM"
    "MMMMMMMMMMMMMMMM"
    "MMMMMMMMMMMMMMMM";
static_assert(kOneByte.size() == 256 && kTwoByte.size() == 256);

class Lengths {
 public:
  Lengths(std::span<const u8> bytes, CodeSize code_size) : bytes_(bytes), code_size_(code_size) {}

  unsigned total() {
    prefixes();
    const u8 opcode = next();
    const bool vector_allowed = is64() || (peek() & 0xc0) == 0xc0;
    if (opcode == 0x0f) {
      two_byte();
    } else if ((opcode == 0xc4 || opcode == 0xc5) && vector_allowed) {
      vex(opcode);
    } else if (opcode == 0x62 && vector_allowed) {
      evex();
    } else {
      operands(kOneByte[opcode]);
    }
    return length_;
  }

 private:
  static constexpr unsigned kMaxBytes = 15;

  bool is64() const { return code_size_ == CodeSize::Bits64; }
  u8 peek() const { return length_ < bytes_.size() ? bytes_[length_] : u8{0}; }
  u8 next() {
    const u8 byte = peek();
    ++length_;
    return byte;
  }

  void prefixes() {
    for (; length_ < kMaxBytes; ++length_) {
      switch (peek()) {
        case 0x66: operand_prefix_ = true; break;
        case 0x67: address_prefix_ = true; break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0xf0:
        case 0xf2:
        case 0xf3: break;
        default:
          if (!is64() || (peek() & 0xf0) != 0x40) return;
          wide_ = (peek() & 8) != 0;
          continue;
      }
      wide_ = false;  // a REX prefix counts only right before the opcode
    }
  }

  void two_byte() {
    const u8 opcode = next();
    if (opcode < 0x38 || opcode > 0x3f) return operands(kTwoByte[opcode]);
    next();
    operands((opcode & 2) != 0 ? 'B' : 'M');
  }

  void vex(u8 first) {
    const u8 map = first == 0xc5 ? 1 : peek() & 3;
    if (map == 0) return operands('M');
    length_ += first == 0xc5 ? 1 : 2;
    in_map(map, next());
  }

  void evex() {
    const u8 map = peek() & 3;
    if (map == 0) return operands('M');
    length_ += 3;
    in_map(map, next());
  }

  /// Of the map's number, two bits decide; 0 makes it the older instruction, with a ModRM byte.
  void in_map(u8 map, u8 opcode) { operands(map == 1 ? kTwoByte[opcode] : map == 2 ? 'M' : 'B'); }

  unsigned operand_bytes() const {
    if (wide_) return 8;
    return (code_size_ == CodeSize::Bits16) != operand_prefix_ ? 2 : 4;
  }
  unsigned address_bytes() const {
    if (is64()) return address_prefix_ ? 4 : 8;
    return (code_size_ == CodeSize::Bits16) != address_prefix_ ? 2 : 4;
  }

  void operands(char kind) {
    const unsigned immediate = operand_bytes() == 2 ? 2 : 4;
    switch (kind) {
      case 'b': length_ += 1; return;
      case 'w': length_ += 2; return;
      case 'z': length_ += immediate; return;
      case 'j': length_ += is64() ? 4 : immediate; return;
      case 'v': length_ += operand_bytes(); return;
      case 'p': length_ += immediate + 2; return;
      case 'e': length_ += 3; return;
      case 'a': length_ += address_bytes(); return;
      case 'M': modrm(); return;
      case 'B':
        modrm();
        length_ += 1;
        return;
      case 'Z':
        modrm();
        length_ += immediate;
        return;
      case 'F': length_ += (modrm() >> 3 & 7) < 2 ? 1 : 0; return;
      case 'G': length_ += (modrm() >> 3 & 7) < 2 ? immediate : 0; return;
      case 'R': length_ += 1; return;
      default: return;
    }
  }

  /// ModRM byte, SIB byte, displacement. SDM 2A tables 2-1 to 2-3.
  u8 modrm() {
    const u8 byte = next();
    const unsigned mod = byte >> 6, rm = byte & 7;
    if (mod == 3) return byte;
    if (address_bytes() == 2) {
      length_ += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
      return byte;
    }
    const unsigned base = rm == 4 ? next() & 7 : rm;
    length_ += mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
    return byte;
  }

  std::span<const u8> bytes_;
  const CodeSize code_size_;
  unsigned length_ = 0;
  bool operand_prefix_ = false;
  bool address_prefix_ = false;
  bool wide_ = false;
};

}  // namespace

unsigned insn_length(std::span<const u8> bytes, CodeSize code_size) {
  return Lengths(bytes, code_size).total();
}

}  // namespace reprise::cpu
