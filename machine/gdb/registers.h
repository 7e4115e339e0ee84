// The registers of a processor as gdb sees them: names, sizes and order, always those of 64-bit mode, so that nothing
// changes its size when the guest changes its mode.
//
// gdb knows linear addresses only, and takes the program counter for one. So `rip` is the linear address of the next
// instruction, which outside of 64-bit mode has the base of CS added; register cs_base says how much that is.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/board/processor.h"

namespace reprise::machine::gdb {

struct Register {
  std::string name;
  std::string_view feature;  // of the target description
  std::string_view type;     // as gdb names it
  std::string_view group;    // of `info registers GROUP`; empty: gdb knows
  unsigned bytes;
  /// Both on little-endian bytes. `set` is false where the value cannot be written.
  void (*get)(const Processor& processor, unsigned index, u8* into);
  bool (*set)(cpu::CpuState& state, unsigned index, const u8* from);
  unsigned index;  // which one of its kind: for `get` and `set`
};

/// In the order of their numbers.
std::span<const Register> registers();

/// The target description, target.xml. GDB manual, appendix G.
const std::string& target_description();

/// All bytes of all registers.
std::string read_all(const Processor& processor);
std::string read(const Processor& processor, const Register& reg);
/// What is to be written into the register of that number.
struct NewValue {
  std::size_t number;
  std::string_view bytes;  // as many as it has
};
/// Writes them all, between two instructions; a value that is there already is always taken. False, and nothing has changed: a
/// processor cannot have that value, or it cannot be changed here (selectors, and paging in PAE mode).
bool write(Processor& processor, std::span<const NewValue> values);

}  // namespace reprise::machine::gdb
