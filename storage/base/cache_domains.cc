#include "storage/base/cache_domains.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace engram {
namespace {

// More than any processor has.
constexpr int kCachesMax = 10;

// Caches are numbered from the first level on; that of the highest number is
// the last level.
size_t DomainOf(const std::string& cpu_folder) {
  size_t domain = 0;
  for (int cache = 0; cache < kCachesMax; ++cache) {
    std::ifstream list(
        absl::StrCat(cpu_folder, "/cache/index", cache, "/shared_cpu_list"));
    size_t first = 0;
    if (!(list >> first)) break;  // "8-15,24-31" begins with 8
    domain = first;
  }
  return domain;
}

}  // namespace

std::vector<size_t> CacheDomains(const std::string& folder) {
  const long count = ::sysconf(_SC_NPROCESSORS_CONF);
  std::vector<size_t> domains;
  for (long cpu = 0; cpu < count; ++cpu) {
    domains.push_back(DomainOf(absl::StrCat(folder, "/cpu", cpu)));
  }
  const bool one =
      std::all_of(domains.begin(), domains.end(),
                  [&](size_t domain) { return domain == domains.front(); });
  return one ? std::vector<size_t>() : domains;
}

size_t CurrentCacheDomain(const std::vector<size_t>& domains) {
  const int cpu = ::sched_getcpu();
  if (cpu < 0 || static_cast<size_t>(cpu) >= domains.size()) return 0;
  return domains[static_cast<size_t>(cpu)];
}

}  // namespace engram
