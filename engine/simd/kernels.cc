#include "engine/simd/kernels.h"

#include "engine/simd/kernel_tables.h"

namespace engram::simd {
namespace {

#if defined(__x86_64__)
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const Kernels& ChooseKernels() {
#if defined(__x86_64__)
  if (HasAvx2()) return kAvx2Kernels;
#endif
  return kGenericKernels;
}

}  // namespace

const Kernels& BestKernels() {
  static const Kernels& best = ChooseKernels();
  return best;
}

const Kernels* KernelsByName(absl::string_view name) {
  if (name == kGenericKernels.name) return &kGenericKernels;
#if defined(__x86_64__)
  if (name == kAvx2Kernels.name && HasAvx2()) return &kAvx2Kernels;
#endif
  return nullptr;
}

}  // namespace engram::simd
