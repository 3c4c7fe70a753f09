// Tells when nobody is left who may still look at what was taken away.
//
//   index::EpochDomain epochs;
//   {
//     const index::EpochDomain::Guard guard = epochs.Enter();
//     ...  // read what others may take away
//   }
//   ...  // take something away: no new reader finds it
//   const uint64_t ticket = epochs.Retire();
//   ...  // later
//   if (epochs.HasPassed(ticket)) ...  // nobody reads it any more: reuse it

#ifndef ENGRAM_ENGINE_INDEX_EPOCH_H_
#define ENGRAM_ENGINE_INDEX_EPOCH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/index/scratch.h"

namespace engram::index {

// One for all spaces of a database. A reader that stays inside for long delays
// the reuse of what was taken away meanwhile, and nothing else: writers look
// whether a ticket has passed, they never wait for it.
//
// Thread safety: all methods may be called concurrently.
//
// Invariants:
//  (1) HasPassed(t) only once every guard is gone whose Enter() returned before
//      the Retire() that gave t.
//  (2) Whoever sees HasPassed(t) sees all that those guards' holders did; and
//      whoever enters later sees all that was done before that Retire().
class EpochDomain {
 public:
  // Readers that may be inside at a time; one more waits for a place.
  static constexpr size_t kPlaces = 256;

 private:
  // A cache line of its own, so that readers do not slow each other down.
  struct alignas(64) Place {
    // The epoch in which its reader entered; 0: free.
    std::atomic<uint64_t> epoch{0};
    // The reader's; made when a reader first asks for it. Places are taken from
    // few ends, so most never need one.
    std::unique_ptr<Scratch> scratch;
  };

 public:
  // A reader's stay, and memory to search in that outlasts it, so that the
  // next search allocates nothing. Movable, also to another thread.
  class Guard {
   public:
    Guard() = default;  // of nobody
    Guard(Guard&& other) noexcept
        : place_(std::exchange(other.place_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      if (this != &other) {
        Leave();
        place_ = std::exchange(other.place_, nullptr);
      }
      return *this;
    }
    ~Guard() { Leave(); }

    bool held() const { return place_ != nullptr; }

    // For one call at a time. The guard must be held.
    Scratch& scratch() const {
      if (place_->scratch == nullptr) {
        place_->scratch = std::make_unique<Scratch>();
      }
      return *place_->scratch;
    }

    // Ends the stay before the guard's own end.
    void Leave();

   private:
    friend class EpochDomain;
    explicit Guard(Place* place) : place_(place) {}

    Place* place_ = nullptr;
  };

  EpochDomain() = default;
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  // Must outlive the guard. Takes no lock; waits where kPlaces are inside.
  Guard Enter();

  // Called after something was taken away. Tickets do not fall from call to
  // call.
  uint64_t Retire();

  bool HasPassed(uint64_t ticket);

 private:
  std::array<Place, kPlaces> places_;
  std::atomic<uint64_t> epoch_{1};
  // All tickets up to this one have passed; spares most calls the scan.
  std::atomic<uint64_t> passed_{0};
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_EPOCH_H_
