#include "machine/observe/syscall_names.h"

#include <algorithm>

namespace reprise::machine {
namespace {

struct SyscallRow {
  u16 number;
  std::string_view name;
};

// By number. Linux 6.12, arch/x86/entry/syscalls/syscall_64.tbl
constexpr SyscallRow kRows[] = {
#define SYSCALL(number, name) {number, #name},
#include "machine/observe/syscall_names.inc"
#undef SYSCALL
};

}  // namespace

std::string_view linux_syscall_name(u64 number) {
  const auto* const found = std::ranges::lower_bound(kRows, number, {}, &SyscallRow::number);
  return found != std::end(kRows) && found->number == number ? found->name : std::string_view();
}

}  // namespace reprise::machine
