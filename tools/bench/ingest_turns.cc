#include "tools/bench/ingest_turns.h"

#include <string>

#include "storage/base/status_macros.h"
#include "tools/bench/patience.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {}  // namespace

absl::StatusOr<IngestOffered> OfferInTurns(double seconds, uint32_t at_a_time,
                                           NoisyRows* rows,
                                           IngestSpaces* spaces) {
  IngestOffered result;
  const Stopwatch watch;
  for (size_t turn = 0; watch.ReadWall() < seconds; ++turn) {
    Space& space = spaces->space(turn % spaces->count());
    WriteBatch batch;
    for (uint32_t i = 0; i < at_a_time; ++i) {
      const std::string id = spaces->NextId();
      batch.Observe(space, {.id = id, .vector = rows->Next(), .payload = {}});
    }
    const double written_s = watch.ReadWall();
    ENGRAM_ASSIGN_OR_RETURN(
        const Lsn lsn,
        spaces->db().Write(batch, {.admission_timeout = kPatience}));
    result.offered += at_a_time;
    result.accepted += at_a_time;
    result.ack_us.push_back(
        static_cast<float>((watch.ReadWall() - written_s) * 1e6));
    ENGRAM_RETURN_IF_ERROR(space.Wait(lsn, Stage::kIndexed, kPatience));
  }
  return result;
}

}  // namespace engram::bench
