// Constants of the transcendentals, truncated to 128 bits.
#pragma once

#include "cpu/softfloat/wide_float.h"

namespace reprise::softfloat {

inline constexpr WideFloat kPi{false, 1, make_u128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)};
inline constexpr WideFloat kLn2{false, -1, make_u128(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
inline constexpr WideFloat kTwoOverLn2{false, 1, make_u128(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88)};

}  // namespace reprise::softfloat
