#include "engine/simd/kernels.h"

#include <cstdio>
#include <cstdlib>

#include "engine/simd/kernel_tables.h"
#include "storage/base/check.h"

namespace engram::simd {
namespace {

// Fastest first.
constexpr absl::string_view kNames[] = {"avx512", "avx2", "generic"};

#if defined(__x86_64__)
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

const Kernels& ChooseKernels() {
  const char* forced = std::getenv("ENGRAM_SIMD");
  if (forced != nullptr && forced[0] != '\0') {
    const Kernels* kernels = KernelsByName(forced);
    if (kernels == nullptr) {
      std::fprintf(stderr, "ENGRAM_SIMD=%s: no such table on this CPU\n",
                   forced);
    }
    ENGRAM_CHECK(kernels != nullptr);
    return *kernels;
  }
  for (const absl::string_view name : kNames) {
    const Kernels* kernels = KernelsByName(name);
    if (kernels != nullptr) return *kernels;
  }
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
  if (name == kAvx512Kernels.name && HasAvx512()) return &kAvx512Kernels;
#endif
  return nullptr;
}

}  // namespace engram::simd
