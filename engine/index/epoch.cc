#include "engine/index/epoch.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <thread>

namespace engram::index {
namespace {

// Where a thread starts to look for a free place: each somewhere else, and each
// again where it was, whose memory is still in its cache.
size_t FirstPlace() {
  // Ids of threads are addresses, alike in their low bits; the product's high
  // bits are mixed.
  const uint64_t id = std::hash<std::thread::id>()(std::this_thread::get_id());
  return (id * 0x9E3779B97F4A7C15u >> 32) % EpochDomain::kPlaces;
}

}  // namespace

void EpochDomain::Guard::Leave() {
  if (place_ == nullptr) return;
  // Release: what the reader did happens before the reuse by whoever scans the
  // place in HasPassed(), or before the next reader's use of the scratch.
  place_->epoch.store(0, std::memory_order_release);
  place_ = nullptr;
}

EpochDomain::Guard EpochDomain::Enter() {
  const size_t first = FirstPlace();
  while (true) {
    for (size_t i = 0; i < kPlaces; ++i) {
      Place& place = places_[(first + i) % kPlaces];
      // Relaxed: a glance that spares failing exchanges.
      if (place.epoch.load(std::memory_order_relaxed) != 0) continue;
      // Relaxed: an epoch that is over by now pins more than it need, never
      // less.
      const uint64_t epoch = epoch_.load(std::memory_order_relaxed);
      uint64_t expected = 0;
      // The store half of store-load: see HasPassed(). As an acquire it takes
      // over the scratch from the last reader.
      if (!place.epoch.compare_exchange_strong(expected, epoch,
                                               std::memory_order_seq_cst,
                                               std::memory_order_relaxed)) {
        continue;
      }
      // The load half. Where a scan came too early to see this place taken, its
      // Retire() came before this load in the order of all seq_cst operations,
      // which therefore reads what it wrote, or later: so what was taken away
      // before is seen to be away from here on.
      (void)epoch_.load(std::memory_order_seq_cst);
      return Guard(&place);
    }
    std::this_thread::yield();
  }
}

uint64_t EpochDomain::Retire() {
  // Release: what was taken away is seen to be so by whoever enters the new
  // epoch. seq_cst: comes before the scan in the order of HasPassed().
  return epoch_.fetch_add(1, std::memory_order_seq_cst);
}

bool EpochDomain::HasPassed(uint64_t ticket) {
  // Acquire: pairs with the exchange below; what another thread's scan has seen
  // is seen.
  uint64_t passed = passed_.load(std::memory_order_acquire);
  if (ticket <= passed) return true;
  // Tickets that are given from here on are none of this scan's business.
  uint64_t oldest = epoch_.load(std::memory_order_seq_cst);
  for (const Place& place : places_) {
    // seq_cst, the load half on this side: either it sees the reader's
    // exchange, or that comes later in the order of all seq_cst operations, and
    // then the reader sees the Retire(). As an acquire it pairs with Leave(),
    // also where the place has been taken again (an exchange continues the
    // release sequence of the store before it).
    const uint64_t epoch = place.epoch.load(std::memory_order_seq_cst);
    if (epoch != 0) oldest = std::min(oldest, epoch);
  }
  // A reader of epoch e may have entered before the Retire() that gave e.
  const uint64_t found = oldest - 1;
  while (passed < found) {
    // Release: see the load above. Acquire: `passed` comes from another scan,
    // whose word is then good enough.
    if (passed_.compare_exchange_weak(passed, found, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      passed = found;
    }
  }
  return ticket <= passed;
}

}  // namespace engram::index
