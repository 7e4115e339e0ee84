// Numbers of errors as Linux has them, which 9P2000.L sends.
#pragma once

#include "common/types.h"

namespace reprise::devices::linux_errno {

inline constexpr u32 kEPERM = 1, kENOENT = 2, kEIO = 5, kE2BIG = 7, kEBADF = 9, kENOMEM = 12, kEEXIST = 17,
                     kENOTDIR = 20, kEISDIR = 21, kEINVAL = 22, kENOSPC = 28, kEROFS = 30, kERANGE = 34,
                     kENAMETOOLONG = 36, kENOLCK = 37, kENODATA = 61, kEPROTO = 71, kEMSGSIZE = 90,
                     kEOPNOTSUPP = 95, kESTALE = 116;

}  // namespace reprise::devices::linux_errno
