// Reads the parts that a head lists.

#ifndef ENGRAM_ENGINE_SPACE_PART_READER_H_
#define ENGRAM_ENGINE_SPACE_PART_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

// `status`, naming family and key. What a head lists and is not there is lost.
absl::Status InFamily(absl::string_view family, absl::string_view key,
                      const absl::Status& status);

// How errors name a part.
std::string VectorPartName(const schema::PartReference& reference);
std::string LinkPartName(const schema::PartReference& reference);

// DATA_LOSS naming the key if a part is damaged or missing.
absl::StatusOr<schema::VectorPart> ReadVectorPart(
    const kv::Store& store, absl::string_view family,
    const schema::SpaceDescription& space,
    const schema::PartReference& reference);

absl::StatusOr<std::vector<schema::NodeLinks>> ReadLinkPart(
    const kv::Store& store, absl::string_view family, const schema::Head& head,
    const schema::PartReference& reference);

// What the base and the deltas of a head say last of each row, by row. Memory
// is taken for what was read, not for what the head claims. `threads`, one at
// least, read and decode at the same time.
absl::StatusOr<std::vector<schema::NodeLinks>> ReadAllLinks(
    const kv::Store& store, absl::string_view family, const schema::Head& head,
    size_t threads = 1);

// All dead letters of a family, by LSN.
absl::StatusOr<std::vector<schema::DeadLetter>> ReadDeadLetters(
    const kv::Store& store, absl::string_view family,
    const schema::SpaceDescription& space);

// The one of `parts`, which cover all rows in order, that holds `row`; nullptr
// if there is none.
const schema::PartReference* FindPart(
    absl::Span<const schema::PartReference> parts, uint32_t row);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_PART_READER_H_
