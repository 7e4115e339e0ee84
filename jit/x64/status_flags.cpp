#include "jit/x64/status_flags.h"

namespace reprise::jit::x64 {

void emit_save_flags(CountingAssembler& a) {
  const CountAs flags(a, HostInsn::Flags);
  a.lahf();
  a.seto(x86::al);
}

void StatusFlags::save() {
  if (in_rax_) return;
  emit_save_flags(em_.a);
  in_rax_ = true;
}

void StatusFlags::need() {
  if (in_host_) return;
  const CountAs flags(em_.a, HostInsn::Flags);
  em_.a.cmp(x86::al, 0x81);  // OF := AL
  em_.a.sahf();
  in_host_ = true;
}

}  // namespace reprise::jit::x64
