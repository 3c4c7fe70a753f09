// Keys in RocksDB. Numbers in keys are big endian, so that they sort.
//
//   default family          a space's family
//     m/catalog               d/<lsn>                  dead letters
//     p/<producer>            l/<generation><index>    links
//     s/<space id>            m/head                   what belongs together
//                             r/<id>                   current records
//                             v/<segment><generation>  vectors
//
// v/ sorts last: engine-driven compaction ends before it, so that vectors,
// which never change, are not rewritten.

#ifndef ENGRAM_SCHEMA_KEY_LAYOUT_H_
#define ENGRAM_SCHEMA_KEY_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace engram::schema {

inline constexpr absl::string_view kCatalogKey = "m/catalog";
inline constexpr absl::string_view kCatalogEntryPrefix = "s/";
inline constexpr absl::string_view kProducerPrefix = "p/";
inline constexpr absl::string_view kDeadLetterPrefix = "d/";
inline constexpr absl::string_view kHeadKey = "m/head";
inline constexpr absl::string_view kRecordPrefix = "r/";
inline constexpr absl::string_view kVectorPrefix = "v/";

std::string CatalogEntryKey(uint64_t space_id);
std::string ProducerKey(uint64_t producer);
std::string DeadLetterKey(uint64_t lsn);
std::string LinkPartKey(uint64_t generation, uint32_t index);
std::string RecordKey(absl::string_view id);
std::string VectorPartKey(uint32_t segment, uint64_t generation);

// The number behind the prefix of a key that is made of these two; 0, which
// none of ours ends in, if it is another key.
uint64_t NumberInKey(absl::string_view prefix, absl::string_view key);

// The name of the n-th family, "p000001"; names are never used twice.
std::string FamilyName(uint64_t number);

// The number in such a name; 0 if it is none.
uint64_t FamilyNumber(absl::string_view name);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_KEY_LAYOUT_H_
