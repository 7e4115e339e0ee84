// A small builder of ACPI Machine Language. ACPI specification 6.4, chapter 20 (AML) and 6.4 (resource data
// types). Every function returns the bytes of one term; terms nest by value. Covers what a PC needs: names, packages, buffers, devices,
// methods that return or look at ports, and resource templates.
#pragma once

#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::machine::aml {

using Bytes = std::vector<u8>;

Bytes concat(const std::vector<Bytes>& terms);

// --- Data, 20.2.3 ---
Bytes integer(u64 value);
Bytes string(std::string_view text);
/// A compressed EISA id such as "PNP0A03". ACPI 19.6.36.
Bytes eisa_id(std::string_view id);
Bytes buffer(const Bytes& data);
Bytes package(const std::vector<Bytes>& elements);

// --- Named objects, 20.2.5. `path`: segments of up to four characters, separated by dots, with an optional
// leading '\' ---
Bytes path(std::string_view path);
Bytes name(std::string_view name, const Bytes& value);
Bytes scope(std::string_view name, const std::vector<Bytes>& terms);
Bytes device(std::string_view name, const std::vector<Bytes>& terms);
Bytes method(std::string_view name, unsigned arguments, const std::vector<Bytes>& terms);

/// Ports from `first_port` on, 32 bits each, by the names of `registers`; one without a name is passed over. 20.2.5.2.
Bytes port_registers(std::string_view name, u16 first_port, const std::vector<std::string_view>& registers);

/// A dword at `phys`, by the name `field`.
Bytes memory_register(std::string_view name, u32 phys, std::string_view field);

// --- Statements, 20.2.5.3 ---
Bytes return_value(const Bytes& value);
Bytes store(const Bytes& value, std::string_view target);
Bytes if_true(const Bytes& condition, const std::vector<Bytes>& terms);
Bytes argument(unsigned index);
/// A value of a method's own.
Bytes local(unsigned index);
Bytes store_local(const Bytes& value, unsigned index);
Bytes bit_and(const Bytes& left, const Bytes& right);
/// target |= value
Bytes set_bits(std::string_view target, const Bytes& value);
Bytes equal(const Bytes& left, const Bytes& right);
Bytes negate(const Bytes& condition);
/// `name` is the 32 bits at `offset` of `buffer`, 20.2.5.2.
Bytes dword_field(const Bytes& buffer, u64 offset, std::string_view name);
/// A method without arguments is called by its path.
inline Bytes call(std::string_view method) { return path(method); }
/// Tells the driver of the object at `device` of `value`, 5.6.6.
Bytes notify(std::string_view device, u64 value);

// --- Resource templates, 6.4; resource_template() wraps the descriptors into a buffer with an end tag ---
Bytes resource_template(const std::vector<Bytes>& descriptors);
Bytes io(u16 first_port, u8 ports);
Bytes irq(unsigned line);
/// Of the I/O APICs, active high: by level, or by its edge.
enum class Trigger : u8 { Level, Edge };
Bytes interrupt(unsigned line, Trigger trigger);
/// A channel of the 8237 pair: byte transfers, no bus master.
Bytes dma(unsigned channel);
Bytes memory32_fixed(u32 phys, u32 bytes);
Bytes word_bus_number(u16 first, u16 last);
Bytes word_io(u16 first_port, u16 last_port);
Bytes dword_memory(u32 first_phys, u32 last_phys);

}  // namespace reprise::machine::aml
