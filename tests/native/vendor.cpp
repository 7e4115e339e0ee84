#include "tests/native/vendor.h"

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

struct AmdRow {
  Mnemonic mnemonic;
  u32 tolerance;
};

constexpr AmdRow kAmdRows[] = {
    // Approximations have other tables.
    {Mnemonic::RCPPS, kApproximation},
    {Mnemonic::RCPSS, kApproximation},
    {Mnemonic::RSQRTPS, kApproximation},
    {Mnemonic::RSQRTSS, kApproximation},
    {Mnemonic::VRCPPS, kApproximation},
    {Mnemonic::VRCPSS, kApproximation},
    {Mnemonic::VRSQRTPS, kApproximation},
    {Mnemonic::VRSQRTSS, kApproximation},
    {Mnemonic::DPPS, kNanChoice},
    {Mnemonic::DPPD, kNanChoice},
    {Mnemonic::VDPPS, kNanChoice},
    {Mnemonic::VDPPD, kNanChoice},
    // A fault stops them in another order.
    {Mnemonic::VGATHERDPS, kStateOnFault},
    {Mnemonic::VGATHERDPD, kStateOnFault},
    {Mnemonic::VGATHERQPS, kStateOnFault},
    {Mnemonic::VGATHERQPD, kStateOnFault},
    {Mnemonic::VPGATHERDD, kStateOnFault},
    {Mnemonic::VPGATHERDQ, kStateOnFault},
    {Mnemonic::VPGATHERQD, kStateOnFault},
    {Mnemonic::VPGATHERQQ, kStateOnFault},
    {Mnemonic::MASKMOVDQU, kFaultChoice},
    {Mnemonic::VMASKMOVDQU, kFaultChoice},
    {Mnemonic::VMASKMOVPS, kFaultChoice},
    {Mnemonic::VMASKMOVPD, kFaultChoice},
    {Mnemonic::VPMASKMOVD, kFaultChoice},
    {Mnemonic::VPMASKMOVQ, kFaultChoice},
    {Mnemonic::VCVTPS2PH, kMxcsrOnFault | kFaultChoice},
    {Mnemonic::FXSAVE, kMxcsrMask},
    {Mnemonic::FXSAVE64, kMxcsrMask},
    {Mnemonic::XSAVE, kMxcsrMask | kFaultChoice},
    {Mnemonic::XSAVE64, kMxcsrMask | kFaultChoice},
    {Mnemonic::XSAVEC, kMxcsrMask | kFaultChoice},
    {Mnemonic::XSAVEC64, kMxcsrMask | kFaultChoice},
    {Mnemonic::XSAVEOPT, kMxcsrMask | kFaultChoice},
    {Mnemonic::XSAVEOPT64, kMxcsrMask | kFaultChoice},
    {Mnemonic::XRSTOR, kFaultChoice},
    {Mnemonic::XRSTOR64, kFaultChoice},
    {Mnemonic::FST, kStoreFaults},
    {Mnemonic::FSTP, kStoreFaults},
    {Mnemonic::FBSTP, kStoreFaults},
    {Mnemonic::FIST, kStoreFaults},
    {Mnemonic::FISTP, kStoreFaults},
    {Mnemonic::FISTTP, kStoreFaults},
    {Mnemonic::CMPSB, kFlagsOnFault | kFaultChoice},
    {Mnemonic::CMPSW, kFlagsOnFault | kFaultChoice},
    {Mnemonic::CMPSD_STRING, kFlagsOnFault | kFaultChoice},
    {Mnemonic::CMPSQ, kFlagsOnFault | kFaultChoice},
    {Mnemonic::SCASB, kFlagsOnFault},
    {Mnemonic::SCASW, kFlagsOnFault},
    {Mnemonic::SCASD, kFlagsOnFault},
    {Mnemonic::SCASQ, kFlagsOnFault},
    // VEX.W does not matter.
    {Mnemonic::VPERMQ, kAccepted},
    {Mnemonic::VPERMPD, kAccepted},
    {Mnemonic::SHA1RNDS4, kNoAlignment},
    {Mnemonic::SHA1NEXTE, kNoAlignment},
    {Mnemonic::SHA1MSG1, kNoAlignment},
    {Mnemonic::SHA1MSG2, kNoAlignment},
    {Mnemonic::SHA256RNDS2, kNoAlignment},
    {Mnemonic::SHA256MSG1, kNoAlignment},
    {Mnemonic::SHA256MSG2, kNoAlignment},
};

/// What would show in what comes behind such an instruction.
constexpr u32 kLasting = kApproximation | kNanChoice | kNoAlignment | kAccepted | kMxcsrMask;

}  // namespace

bool amd_in_sequences(Mnemonic mnemonic) {
  // Shifts of words by more than 16 bits: the operand size decides.
  const bool double_shift = mnemonic == Mnemonic::SHLD || mnemonic == Mnemonic::SHRD;
  return !double_shift && (amd_tolerance(mnemonic) & kLasting) == 0;
}

u32 amd_tolerance(Mnemonic mnemonic) {
  // With EFLAGS.AC vector operands of 16 and 32 bytes must be aligned, those that need not be otherwise, too.
  const bool vectors = (cpu::insn_row(mnemonic).checks & (cpu::kCheckSse | cpu::kCheckAvx)) != 0;
  u32 bits = kAlignmentLast | (vectors ? kVectorAlignment : kExact);
  for (const AmdRow& row : kAmdRows)
    if (row.mnemonic == mnemonic) bits |= row.tolerance;
  return bits;
}

}  // namespace reprise::native
