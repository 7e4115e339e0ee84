// How shapes choose handlers: by the form of the operands, and by width.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::cpu {

/// An instruction with one handler for everything.
template <Handler F>
struct direct {
  static Handler select(const Insn&) { return F; }
};

/// The handler of `Forms` with the name of the form: r, m, i, rr, rm, ri, mr, mi; or `any`, which serves them all. nullptr
/// when it has none.
template <class Forms>
Handler by_form(Form form) {
  if constexpr (requires { Forms::any; }) return Forms::any;
  switch (form) {
    case Form::R:
      if constexpr (requires { Forms::r; }) return Forms::r;
      break;
    case Form::M:
      if constexpr (requires { Forms::m; }) return Forms::m;
      break;
    case Form::I:
      if constexpr (requires { Forms::i; }) return Forms::i;
      break;
    case Form::RR:
      if constexpr (requires { Forms::rr; }) return Forms::rr;
      break;
    case Form::RM:
      if constexpr (requires { Forms::rm; }) return Forms::rm;
      break;
    case Form::RI:
      if constexpr (requires { Forms::ri; }) return Forms::ri;
      break;
    case Form::MR:
      if constexpr (requires { Forms::mr; }) return Forms::mr;
      break;
    case Form::MI:
      if constexpr (requires { Forms::mi; }) return Forms::mi;
      break;
    default: break;
  }
  return nullptr;
}

/// The same of Instance<T>, T being `bytes` wide; nullptr when no integer is.
template <template <class> class Instance>
Handler by_width(unsigned bytes, Form form) {
  switch (bytes) {
    case 1: return by_form<Instance<u8>>(form);
    case 2: return by_form<Instance<u16>>(form);
    case 4: return by_form<Instance<u32>>(form);
    case 8: return by_form<Instance<u64>>(form);
    default: return nullptr;
  }
}

}  // namespace reprise::cpu
