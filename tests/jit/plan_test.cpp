// The passes of jit/passes/, each as text: instructions before, what is planned for them after.
#include "jit/plan/plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cpu/decode/decode.h"
#include "cpu/decode/disassemble.h"
#include "jit/passes/passes.h"
#include "jit/plan/plan_text.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using jit::Pass;
using jit::PassSet;

PassSet only(Pass pass) {
  PassSet set;
  set.add(pass);
  return set;
}

/// The instructions of `code`, 64-bit code, a line for each: what is planned for it follows a bar.
std::string planned(const std::vector<u8>& code, PassSet passes) {
  const test::SmallMachine machine(code);
  const cpu::Decoder decoder(cpu::default_profile());
  std::vector<cpu::Insn> insns;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < code.size();) {
    const std::span<const u8> rest = std::span(code).subspan(at);
    cpu::Insn insn;
    bool ends_block = false;
    EXPECT_EQ(decoder.decode(rest, machine.cpu->mode, static_cast<u16>(at), insn, ends_block),
              cpu::DecodeStatus::Ok);
    lines.push_back(cpu::disassemble(rest, at, 64).text);
    at += insn.length();
    insns.push_back(insn);
  }
  const jit::Plan plan = jit::make_plan(insns, passes);
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string annotation = jit::plan_text(plan, i);
    text += lines[i] + (annotation.empty() ? "" : " | " + annotation) + "\n";
  }
  return text;
}

struct Case {
  std::vector<u8> code;
  std::string_view before, after;
};

void expect(Pass pass, const Case& each) {
  EXPECT_EQ(planned(each.code, PassSet{}), each.before);
  EXPECT_EQ(planned(each.code, only(pass)), each.after);
}

// --- Probe groups ---

TEST(ProbeGroups, AccessesOffOneBaseShareAProbe) {
  expect(Pass::Groups, {{0x48, 0x8b, 0x07, 0x48, 0x8b, 0x4f, 0x08, 0x48, 0x01, 0xc8},
                        "mov rax, [rdi]\n"
                        "mov rcx, [rdi+0x08]\n"
                        "add rax, rcx\n",
                        "mov rax, [rdi] | group 0: [rdi +0], probes bytes +0 to +15 for reading, "
                        "instructions 0 to 1\n"
                        "mov rcx, [rdi+0x08] | group 0: [rdi +8]\n"
                        "add rax, rcx\n"});
}

TEST(ProbeGroups, AStoreMakesTheProbeOneForWriting) {
  expect(Pass::Groups, {{0x8b, 0x46, 0xfc, 0x89, 0x46, 0x04},
                        "mov eax, [rsi-0x04]\n"
                        "mov [rsi+0x04], eax\n",
                        "mov eax, [rsi-0x04] | group 0: [rsi -4], probes bytes -4 to +7 for writing, "
                        "instructions 0 to 1\n"
                        "mov [rsi+0x04], eax | group 0: [rsi +4]\n"});
}

TEST(ProbeGroups, GoOnWhereAConstantIsAddedToTheBase) {
  expect(Pass::Groups, {{0x48, 0x8b, 0x07, 0x48, 0x83, 0xc7, 0x08, 0x48, 0x8b, 0x0f},
                        "mov rax, [rdi]\n"
                        "add rdi, 0x08\n"
                        "mov rcx, [rdi]\n",
                        "mov rax, [rdi] | group 0: [rdi +0], probes bytes +0 to +15 for reading, "
                        "instructions 0 to 2\n"
                        "add rdi, 0x08\n"
                        "mov rcx, [rdi] | group 0: [rdi +8]\n"});
}

TEST(ProbeGroups, TakePushesAndPops) {
  expect(Pass::Groups,
         {{0x50, 0x53, 0x59},
          "push rax\n"
          "push rbx\n"
          "pop rcx\n",
          "push rax | group 0: [rsp -8], probes bytes -16 to -1 for writing, instructions 0 to 2\n"
          "push rbx | group 0: [rsp -16]\n"
          "pop rcx | group 0: [rsp -16]\n"});
}

TEST(ProbeGroups, EndWhereTheBaseIsLoaded) {
  const std::string_view text =
      "mov rax, [rdi]\n"
      "mov rdi, [rsi]\n"
      "mov rcx, [rdi]\n";
  expect(Pass::Groups, {{0x48, 0x8b, 0x07, 0x48, 0x8b, 0x3e, 0x48, 0x8b, 0x0f}, text, text});
}

TEST(ProbeGroups, EndAtInstructionsWithUnknownEffects) {
  const std::string_view text =
      "mov rax, [rdi]\n"
      "cpuid\n"
      "mov rcx, [rdi]\n";
  expect(Pass::Groups, {{0x48, 0x8b, 0x07, 0x0f, 0xa2, 0x48, 0x8b, 0x0f}, text, text});
}

TEST(ProbeGroups, SpanLittle) {
  const std::string_view text =
      "mov rax, [rdi]\n"
      "mov rcx, [rdi+0x100]\n";
  expect(Pass::Groups, {{0x48, 0x8b, 0x07, 0x48, 0x8b, 0x8f, 0, 1, 0, 0}, text, text});
}

TEST(ProbeGroups, AccessesOffOneBaseAndIndexShareAProbe) {
  expect(Pass::Groups,
         {{0xf2, 0x0f, 0x58, 0x04, 0xca, 0x48, 0x83, 0xc1, 0x01, 0xf2, 0x0f, 0x11, 0x04, 0xca},
          "addsd xmm0, [rdx+rcx*8]\n"
          "add rcx, 0x01\n"
          "movsd [rdx+rcx*8], xmm0\n",
          "addsd xmm0, [rdx+rcx*8] | group 0: [rdx +rcx*8 +0], probes bytes +0 to +15 for writing, "
          "instructions 0 to 2\n"
          "add rcx, 0x01\n"
          "movsd [rdx+rcx*8], xmm0 | group 0: [rdx +rcx*8 +8]\n"});
}

TEST(ProbeGroups, AnotherIndexOrScaleIsAnotherPlace) {
  const std::string_view text =
      "mov rax, [rdi+rcx*8]\n"
      "mov rbx, [rdi+rcx*4]\n"
      "mov rsi, [rdi+rdx*8]\n"
      "mov r8, [rdi]\n";
  expect(Pass::Groups,
         {{0x48, 0x8b, 0x04, 0xcf, 0x48, 0x8b, 0x1c, 0x8f, 0x48, 0x8b, 0x34, 0xd7, 0x4c, 0x8b, 0x07},
          text,
          text});
}

TEST(ProbeGroups, EndWhereTheIndexIsLoaded) {
  const std::string_view text =
      "mov rcx, [rdi+rcx*8]\n"
      "mov rax, [rdi+rcx*8]\n";
  expect(Pass::Groups, {{0x48, 0x8b, 0x0c, 0xcf, 0x48, 0x8b, 0x04, 0xcf}, text, text});
}

TEST(ProbeGroups, CheckAlignmentOnce) {
  expect(Pass::Groups, {{0x8b, 0x46, 0x04, 0x0f, 0x28, 0x46, 0x10, 0x0f, 0x29, 0x46, 0x20},
                        "mov eax, [rsi+0x04]\n"
                        "movaps xmm0, [rsi+0x10]\n"
                        "movaps [rsi+0x20], xmm0\n",
                        "mov eax, [rsi+0x04] | group 0: [rsi +4], probes bytes +4 to +47 for writing, "
                        "instructions 0 to 2, aligned to 16 at +16\n"
                        "movaps xmm0, [rsi+0x10] | group 0: [rsi +16]\n"
                        "movaps [rsi+0x20], xmm0 | group 0: [rsi +32]\n"});
}

// --- Remade flags ---

TEST(RemadeFlags, AreThoseThatOnlyAFaultCouldShow) {
  expect(Pass::Flags, {{0x01, 0xc8, 0x8b, 0x13, 0x39, 0x3b},
                       "add eax, ecx\n"
                       "mov edx, [rbx]\n"
                       "cmp [rbx], edi\n",
                       "add eax, ecx | flags dead\n"
                       "mov edx, [rbx] | flags of 0 not kept\n"
                       "cmp [rbx], edi | flags of 0 not kept\n"});
}

TEST(RemadeFlags, AreNoneThatAreRead) {
  expect(Pass::Flags, {{0x01, 0xc8, 0x8b, 0x13, 0x11, 0xfa},
                       "add eax, ecx\n"
                       "mov edx, [rbx]\n"
                       "adc edx, edi\n",
                       "add eax, ecx | flags dead\n"
                       "mov edx, [rbx]\n"
                       "adc edx, edi\n"});
}

TEST(RemadeFlags, AreNoneThatLeaveTheBlock) {
  expect(Pass::Flags, {{0x01, 0xc8, 0x8b, 0x13},
                       "add eax, ecx\n"
                       "mov edx, [rbx]\n",
                       "add eax, ecx | flags dead\n"
                       "mov edx, [rbx]\n"});
}

// The second load overwrites what the first one could be told from.
TEST(RemadeFlags, NeedTheRegistersAtEachAccess) {
  expect(Pass::Flags, {{0x01, 0xc8, 0x8b, 0x0b, 0x8b, 0x13, 0x31, 0xff},
                       "add eax, ecx\n"
                       "mov ecx, [rbx]\n"
                       "mov edx, [rbx]\n"
                       "xor edi, edi\n",
                       "add eax, ecx | flags dead\n"
                       "mov ecx, [rbx]\n"
                       "mov edx, [rbx]\n"
                       "xor edi, edi | flags dead\n"});
}

TEST(RemadeFlags, OfADoubledRegisterCannotBeTold) {
  expect(Pass::Flags, {{0x01, 0xc0, 0x8b, 0x13, 0x39, 0x3b},
                       "add eax, eax\n"
                       "mov edx, [rbx]\n"
                       "cmp [rbx], edi\n",
                       "add eax, eax | flags dead\n"
                       "mov edx, [rbx]\n"
                       "cmp [rbx], edi\n"});
}

// --- Dead flags ---

TEST(DeadFlags, AreThoseBeforeAnInstructionThatWritesAll) {
  expect(Pass::Flags, {{0x89, 0xd1, 0x8d, 0x41, 0x04, 0x85, 0xc0},
                       "mov ecx, edx\n"
                       "lea eax, [rcx+0x04]\n"
                       "test eax, eax\n",
                       "mov ecx, edx | flags dead\n"
                       "lea eax, [rcx+0x04] | flags dead\n"
                       "test eax, eax | flags dead\n"});
}

TEST(DeadFlags, AreNoneBeforeAnAccessThatMayFault) {
  expect(Pass::Flags, {{0x8b, 0x03, 0x31, 0xc9},
                       "mov eax, [rbx]\n"
                       "xor ecx, ecx\n",
                       "mov eax, [rbx]\n"
                       "xor ecx, ecx | flags dead\n"});
}

TEST(DeadFlags, LiveWhereSomeAreRead) {
  const std::string_view text =
      "adc eax, ecx\n"
      "setz al\n"
      "jz 0x0000000000000007\n";
  expect(Pass::Flags, {{0x11, 0xc8, 0x0f, 0x94, 0xc0, 0x74, 0x00}, text, text});
}

TEST(DeadFlags, SurviveInstructionsThatWriteSome) {
  expect(Pass::Flags, {{0xff, 0xc0, 0x01, 0xc8, 0xff, 0xc9},
                       "inc eax\n"
                       "add eax, ecx\n"
                       "dec ecx\n",
                       "inc eax | flags dead\n"
                       "add eax, ecx | flags dead\n"
                       "dec ecx\n"});
}

// A count of 0 would leave them.
TEST(DeadFlags, AreNotOverwrittenByShifts) {
  expect(Pass::Flags, {{0xd3, 0xe0, 0x01, 0xc8, 0xd3, 0xe0},
                       "shl eax, cl\n"
                       "add eax, ecx\n"
                       "shl eax, cl\n",
                       "shl eax, cl | flags dead\n"
                       "add eax, ecx | flags dead\n"
                       "shl eax, cl\n"});
}

TEST(DeadFlags, AreSeenByTheHandlerOfADivideError) {
  expect(Pass::Flags, {{0xf7, 0xf1, 0x31, 0xc9},
                       "div ecx\n"
                       "xor ecx, ecx\n",
                       "div ecx\n"
                       "xor ecx, ecx | flags dead\n"});
}

}  // namespace
}  // namespace reprise
