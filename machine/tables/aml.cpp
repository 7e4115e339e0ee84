#include "machine/tables/aml.h"

#include <initializer_list>

namespace reprise::machine::aml {
namespace {

// Opcodes, ACPI 6.4 section 20.3, "AML Byte Stream Byte Values".
constexpr u8 kZeroOp = 0x00;
constexpr u8 kOneOp = 0x01;
constexpr u8 kNameOp = 0x08;
constexpr u8 kBytePrefix = 0x0a;
constexpr u8 kWordPrefix = 0x0b;
constexpr u8 kDwordPrefix = 0x0c;
constexpr u8 kStringPrefix = 0x0d;
constexpr u8 kQwordPrefix = 0x0e;
constexpr u8 kScopeOp = 0x10;
constexpr u8 kBufferOp = 0x11;
constexpr u8 kPackageOp = 0x12;
constexpr u8 kMethodOp = 0x14;
constexpr u8 kDualNamePrefix = 0x2e;
constexpr u8 kMultiNamePrefix = 0x2f;
constexpr u8 kExtPrefix = 0x5b;
constexpr u8 kRootChar = 0x5c;
constexpr u8 kLocal0Op = 0x60;
constexpr u8 kArg0Op = 0x68;
constexpr u8 kStoreOp = 0x70;
constexpr u8 kAndOp = 0x7b;
constexpr u8 kOrOp = 0x7d;
constexpr u8 kCreateDwordFieldOp = 0x8a;
constexpr u8 kNotOp = 0x92;
constexpr u8 kEqualOp = 0x93;
constexpr u8 kRegionExtOp = 0x80;
constexpr u8 kFieldExtOp = 0x81;
constexpr u8 kDeviceExtOp = 0x82;
constexpr u8 kIfOp = 0xa0;
constexpr u8 kReturnOp = 0xa4;

void put(Bytes& into, const Bytes& from) {
  for (const u8 byte : from) into.push_back(byte);
}

void put_le(Bytes& into, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) into.push_back(static_cast<u8>(value >> (8 * i)));
}

/// `opcode`, then the package length of `body` (which counts its own bytes, 20.2.4), then `body`.
Bytes with_length(std::initializer_list<u8> opcode, const Bytes& body) {
  Bytes out(opcode);
  const std::size_t size = body.size();
  if (size + 1 <= 0x3f) {
    out.push_back(static_cast<u8>(size + 1));
  } else {
    const unsigned extra = size + 2 <= 0xfff ? 1 : size + 3 <= 0xfffff ? 2 : 3;
    const std::size_t length = size + 1 + extra;
    out.push_back(static_cast<u8>(extra << 6 | (length & 0xf)));
    put_le(out, length >> 4, extra);
  }
  put(out, body);
  return out;
}

Bytes named(std::initializer_list<u8> opcode, std::string_view object, const std::vector<Bytes>& terms) {
  Bytes body = path(object);
  put(body, concat(terms));
  return with_length(opcode, body);
}

/// Word and dword address space descriptors, 6.4.3.5.
Bytes address_space(u8 tag, unsigned field_bytes, u8 type, u8 type_flags, u64 first, u64 last) {
  constexpr u8 kProducerMinMaxFixed = 0x0c;
  Bytes out = {tag};
  put_le(out, 3 + 5 * field_bytes, 2);
  out.push_back(type);
  out.push_back(kProducerMinMaxFixed);
  out.push_back(type_flags);
  for (const u64 value : {u64{0}, first, last, u64{0}, last - first + 1}) put_le(out, value, field_bytes);
  return out;
}

/// Fields of 32 bits in a region; one without a name is passed over.
Bytes region_of_dwords(std::string_view name, u8 space, u64 begin,
                       const std::vector<std::string_view>& fields) {
  constexpr u8 kDwordAccessOtherBitsZero = 0x43, kReserved = 0, kBits = 32;
  const Bytes region = concat(
      {{kExtPrefix, kRegionExtOp}, path(name), {space}, integer(begin), integer(fields.size() * kBits / 8)});
  Bytes list = concat({path(name), {kDwordAccessOtherBitsZero}});
  for (const std::string_view field : fields)
    put(list, concat({field.empty() ? Bytes{kReserved} : path(field), {kBits}}));
  return concat({region, with_length({kExtPrefix, kFieldExtOp}, list)});
}

}  // namespace

Bytes concat(const std::vector<Bytes>& terms) {
  Bytes out;
  for (const Bytes& term : terms) put(out, term);
  return out;
}

Bytes integer(u64 value) {
  if (value == 0) return {kZeroOp};
  if (value == 1) return {kOneOp};
  const unsigned bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffff'ffff ? 4 : 8;
  Bytes out = {bytes == 1   ? kBytePrefix
               : bytes == 2 ? kWordPrefix
               : bytes == 4 ? kDwordPrefix
                            : kQwordPrefix};
  put_le(out, value, bytes);
  return out;
}

Bytes string(std::string_view text) {
  Bytes out = {kStringPrefix};
  for (const char c : text) out.push_back(static_cast<u8>(c));
  out.push_back(0);
  return out;
}

Bytes eisa_id(std::string_view id) {
  const auto hex = [](char c) { return static_cast<u32>(c <= '9' ? c - '0' : c - 'A' + 10); };
  const u32 word = static_cast<u32>(id[0] - 0x40) << 26 | static_cast<u32>(id[1] - 0x40) << 21 |
                   static_cast<u32>(id[2] - 0x40) << 16 | hex(id[3]) << 12 | hex(id[4]) << 8 |
                   hex(id[5]) << 4 | hex(id[6]);
  Bytes out = {kDwordPrefix};
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<u8>(word >> shift));
  return out;
}

Bytes buffer(const Bytes& data) {
  Bytes body = integer(data.size());
  put(body, data);
  return with_length({kBufferOp}, body);
}

Bytes package(const std::vector<Bytes>& elements) {
  Bytes body = {static_cast<u8>(elements.size())};
  put(body, concat(elements));
  return with_length({kPackageOp}, body);
}

Bytes path(std::string_view path) {
  Bytes out;
  if (!path.empty() && path.front() == '\\') {
    out.push_back(kRootChar);
    path.remove_prefix(1);
  }
  Bytes segments;
  unsigned count = 0;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('.'));
    path.remove_prefix(segment.size() < path.size() ? segment.size() + 1 : path.size());
    for (std::size_t i = 0; i < 4; ++i)
      segments.push_back(i < segment.size() ? static_cast<u8>(segment[i]) : '_');
    ++count;
  }
  if (count == 0) out.push_back(0);
  if (count == 2) out.push_back(kDualNamePrefix);
  if (count > 2) {
    out.push_back(kMultiNamePrefix);
    out.push_back(static_cast<u8>(count));
  }
  put(out, segments);
  return out;
}

Bytes name(std::string_view name, const Bytes& value) { return concat({{kNameOp}, path(name), value}); }

Bytes scope(std::string_view name, const std::vector<Bytes>& terms) { return named({kScopeOp}, name, terms); }

Bytes device(std::string_view name, const std::vector<Bytes>& terms) {
  return named({kExtPrefix, kDeviceExtOp}, name, terms);
}

Bytes method(std::string_view name, unsigned arguments, const std::vector<Bytes>& terms) {
  return with_length({kMethodOp}, concat({path(name), {static_cast<u8>(arguments)}, concat(terms)}));
}

Bytes return_value(const Bytes& value) { return concat({{kReturnOp}, value}); }

Bytes store(const Bytes& value, std::string_view target) { return concat({{kStoreOp}, value, path(target)}); }

Bytes if_true(const Bytes& condition, const std::vector<Bytes>& terms) {
  return with_length({kIfOp}, concat({condition, concat(terms)}));
}

Bytes argument(unsigned index) { return {static_cast<u8>(kArg0Op + index)}; }

Bytes local(unsigned index) { return {static_cast<u8>(kLocal0Op + index)}; }

Bytes store_local(const Bytes& value, unsigned index) { return concat({{kStoreOp}, value, local(index)}); }

Bytes bit_and(const Bytes& left, const Bytes& right) {
  constexpr u8 kNoTarget = 0;
  return concat({{kAndOp}, left, right, {kNoTarget}});
}

Bytes set_bits(std::string_view target, const Bytes& value) {
  return concat({{kOrOp}, path(target), value, path(target)});
}

Bytes equal(const Bytes& left, const Bytes& right) { return concat({{kEqualOp}, left, right}); }

Bytes negate(const Bytes& condition) { return concat({{kNotOp}, condition}); }

Bytes dword_field(const Bytes& buffer, u64 offset, std::string_view name) {
  return concat({{kCreateDwordFieldOp}, buffer, integer(offset), path(name)});
}

Bytes port_registers(std::string_view name, u16 first_port, const std::vector<std::string_view>& registers) {
  constexpr u8 kSystemIo = 1;
  return region_of_dwords(name, kSystemIo, first_port, registers);
}

Bytes memory_register(std::string_view name, u32 phys, std::string_view field) {
  constexpr u8 kSystemMemory = 0;
  return region_of_dwords(name, kSystemMemory, phys, {field});
}

Bytes notify(std::string_view device, u64 value) {
  constexpr u8 kNotifyOp = 0x86;
  return concat({{kNotifyOp}, path(device), integer(value)});
}

Bytes resource_template(const std::vector<Bytes>& descriptors) {
  constexpr u8 kEndTag = 0x79;
  return buffer(concat({concat(descriptors), {kEndTag, 0}}));
}

Bytes io(u16 first_port, u8 ports) {
  constexpr u8 kIoTag = 0x47;
  constexpr u8 kDecode16 = 1;
  Bytes out = {kIoTag, kDecode16};
  put_le(out, first_port, 2);
  put_le(out, first_port, 2);
  out.push_back(1);
  out.push_back(ports);
  return out;
}

Bytes irq(unsigned line) {
  constexpr u8 kIrqNoFlagsTag = 0x22;
  Bytes out = {kIrqNoFlagsTag};
  put_le(out, u64{1} << line, 2);
  return out;
}

Bytes interrupt(unsigned line, Trigger trigger) {
  constexpr u8 kExtendedInterruptTag = 0x89;
  constexpr u8 kConsumer = 1u << 0, kEdge = 1u << 1;
  Bytes out = {kExtendedInterruptTag, 6, 0,
               static_cast<u8>(kConsumer | (trigger == Trigger::Edge ? kEdge : 0)), 1};
  put_le(out, line, 4);
  return out;
}

Bytes dma(unsigned channel) {
  constexpr u8 kDmaTag = 0x2a;
  return {kDmaTag, static_cast<u8>(1u << channel), 0};
}

Bytes memory32_fixed(u32 phys, u32 bytes) {
  constexpr u8 kMemory32FixedTag = 0x86;
  constexpr u8 kReadWrite = 1;
  Bytes out = {kMemory32FixedTag, 9, 0, kReadWrite};
  put_le(out, phys, 4);
  put_le(out, bytes, 4);
  return out;
}

Bytes word_bus_number(u16 first, u16 last) { return address_space(0x88, 2, 2, 0, first, last); }

Bytes word_io(u16 first_port, u16 last_port) {
  constexpr u8 kEntireRange = 3;
  return address_space(0x88, 2, 1, kEntireRange, first_port, last_port);
}

Bytes dword_memory(u32 first_phys, u32 last_phys) {
  constexpr u8 kReadWrite = 1;
  return address_space(0x87, 4, 0, kReadWrite, first_phys, last_phys);
}

}  // namespace reprise::machine::aml
