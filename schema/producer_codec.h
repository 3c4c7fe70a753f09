// What the catalog keeps of a producer: how far its numbered writes have come.

#ifndef ENGRAM_SCHEMA_PRODUCER_CODEC_H_
#define ENGRAM_SCHEMA_PRODUCER_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/wal_layout.h"

namespace engram::schema {

struct ProducerState {
  uint64_t producer = 0;
  uint64_t sequence = 0;  // of its last write
  Lsn lsn = 0;            // of that write's last record

  friend bool operator==(const ProducerState&, const ProducerState&) = default;
};

std::string EncodeProducer(const ProducerState& state);

// DATA_LOSS if it is damaged, or another producer's.
absl::StatusOr<ProducerState> DecodeProducer(uint64_t producer,
                                             absl::string_view value);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_PRODUCER_CODEC_H_
