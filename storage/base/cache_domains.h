// Which processors share a cache.

#ifndef ENGRAM_STORAGE_BASE_CACHE_DOMAINS_H_
#define ENGRAM_STORAGE_BASE_CACHE_DOMAINS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace engram {

// For each processor of the machine a number that it has in common with those
// that share its last-level cache: the first of them. As Linux says it in
// cpu<N>/cache/index<K>/shared_cpu_list below `folder`; a processor of which it
// says nothing has 0. Empty where all share one cache.
std::vector<size_t> CacheDomains(
    const std::string& folder = "/sys/devices/system/cpu");

// Of the processor on which the calling thread runs at the moment; 0 where
// `domains` says nothing of it.
size_t CurrentCacheDomain(const std::vector<size_t>& domains);

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_CACHE_DOMAINS_H_
