// The tables that kernels.cc chooses from, one per source file.
//
// A file compiled for a newer instruction set includes this header and the
// intrinsics, nothing else: an inline function compiled there could be the
// copy that the linker keeps for everybody. That is why these files repeat a
// few short helpers.

#ifndef ENGRAM_ENGINE_SIMD_KERNEL_TABLES_H_
#define ENGRAM_ENGINE_SIMD_KERNEL_TABLES_H_

#include "engine/simd/kernels.h"

namespace engram::simd {

extern const Kernels kGenericKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace engram::simd

#endif  // ENGRAM_ENGINE_SIMD_KERNEL_TABLES_H_
