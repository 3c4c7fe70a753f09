// The order in which batches that are planned at the same time get linked.

#ifndef ENGRAM_ENGINE_SPACE_PLANNING_RING_H_
#define ENGRAM_ENGINE_SPACE_PLANNING_RING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/space/index_batch.h"
#include "storage/base/mutex.h"

namespace engram::space {

// A batch in flight has a ticket. The turn belongs to the lowest ticket in
// flight: its holder links. Whoever has planned a later batch parks it and
// goes; whoever passes the turn on gets the next batch if it is parked, and
// then has the turn once more. So a parked batch always has somebody running
// before it who will come to it.
//
// Thread safety: all methods may be called concurrently, with the restrictions
// that they name. The space's mutex may be held, and is never taken here.
class PlanningRing {
 public:
  // Waits until fewer than batches_max() batches are in flight, and counts one
  // more; TakeTicket() or Leave() follows.
  void Enter(absl::FunctionRef<size_t()> batches_max);
  void Leave();

  // Tickets rise by one. The caller holds the space's mutex, under which it
  // takes the records that belong to the ticket.
  uint64_t TakeTicket();

  // The slots of this ticket hold their vectors.
  void AnnounceFilled(uint64_t ticket, absl::Span<const uint32_t> slots);

  // Nobody shall collect the slots of this ticket any more: they are linked, or
  // never will be.
  void ForgetSlots(uint64_t ticket);

  // Waits until this holds for all lower tickets: they are being filled by
  // workers that are running.
  void AwaitFilled(uint64_t ticket);

  // Sets `slots` to those of all lower tickets in flight, in order.
  void CollectSlots(uint64_t ticket, std::vector<uint32_t>* slots) const;

  // Whose turn it is. Acquire: pairs with PassTurn(); what was linked before is
  // seen to be.
  uint64_t turn() const { return turn_.load(std::memory_order_acquire); }

  // Cuts the slots of the ticket down to `slots`, provided no later one was
  // given out; the caller has the turn and holds the space's mutex.
  bool Shorten(uint64_t ticket, absl::Span<const uint32_t> slots);

  // Leaves a batch that is planned. False, and nothing happens, if it is its
  // turn.
  bool Park(std::unique_ptr<IndexBatch>* batch);

  // For the holder of the turn, whose batch is linked. Returns the next one if
  // it is parked; the caller then has its turn.
  std::unique_ptr<IndexBatch> PassTurn();

 private:
  struct Flight {
    bool filled = false;
    std::vector<uint32_t> slots;
    std::unique_ptr<IndexBatch> parked;
  };

  Flight& FlightOf(uint64_t ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  size_t entered_ ABSL_GUARDED_BY(mutex_) = 0;  // without a ticket yet
  // From the turn's ticket on. A few at most, and none in most spaces, for
  // which a std::deque would take 576 bytes.
  std::vector<Flight> flights_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> turn_{0};  // written under mutex_
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_PLANNING_RING_H_
